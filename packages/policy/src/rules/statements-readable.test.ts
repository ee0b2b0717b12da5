import assert from "node:assert/strict";
import { test } from "node:test";
import { makeStatement } from "@tally/evidence";
import { statementsReadable } from "./statements-readable.ts";
import { by, manifest, reasonOf } from "./story.ts";

const garbled = makeStatement([{ digest: manifest }], "urn:tally:approval:v1", { decision: "rejektid", evaluated: [] });

test("readable statements pass", async () => {
  assert.equal((await reasonOf(statementsReadable)).pass, true);
});

test("a known signer's statement that cannot be read fails: it might have been a rejection", async () => {
  const reason = await reasonOf(statementsReadable, { approvals: [await by("reviewer", garbled)] });
  assert.equal(reason.pass, false);
  assert.match(reason.message, /decision/);
});

test("a stranger cannot block a model with a statement that cannot be read", async () => {
  assert.equal((await reasonOf(statementsReadable, { approvals: [await by("stranger", garbled)] })).pass, true);
});
