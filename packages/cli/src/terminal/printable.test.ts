import assert from "node:assert/strict";
import { test } from "node:test";
import { printable } from "./printable.ts";

test("words of other parties cannot move the cursor or turn the direction of writing", () => {
  assert.equal(printable("a\u001b[2Jb\rc\u009b1md\u202ee"), "a [2Jb c 1md e");
});

test("what people write stays as it is", () => {
  const text = "ward-3, Größe 2 µm, 日本語 👩‍🔬";
  assert.equal(printable(text), text);
});
