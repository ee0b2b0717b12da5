import assert from "node:assert/strict";
import { test } from "node:test";
import { printable, printableJson } from "./printable.ts";

test("words of other parties cannot move the cursor or turn the direction of writing", () => {
  assert.equal(printable("a\u001b[2Jb\rc\u009b1md\u202ee"), "a [2Jb c 1md e");
});

test("what people write stays as it is", () => {
  const text = "ward-3, Größe 2 µm, 日本語 👩‍🔬";
  assert.equal(printable(text), text);
});

test("attack: control characters in the names of others, in JSON that a terminal shows", () => {
  const data = { tag: "a\u001b[2Jb\u009b1m\u202ec\u061c\u007f", lines: ["x\ny"] };
  const text = printableJson(data);
  assert.match(text, /^[\n\x20-\x7e]+$/);
  assert.deepEqual(JSON.parse(text), data);
});
