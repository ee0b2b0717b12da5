import assert from "node:assert/strict";
import { test } from "node:test";
import { approvedByAnother } from "./approved-by-another.ts";
import { approval, by, reasonOf, trustWith } from "./story.ts";

test("an approval by someone who did not make the model passes", async () => {
  assert.deepEqual(await reasonOf(approvedByAnother), {
    pass: true,
    message: "approved by reviewer, who did not make it",
  });
});

test("without an approval it fails", async () => {
  assert.equal((await reasonOf(approvedByAnother, { approvals: [] })).pass, false);
});

test("a rejection is no approval", async () => {
  assert.equal(
    (await reasonOf(approvedByAnother, { approvals: [await by("reviewer", approval("rejected"))] })).pass,
    false,
  );
});

test("whoever signed the model cannot approve it, even when allowed to approve", async () => {
  const trust = trustWith({ publisher: ["sign-model", "approve"] });
  const reason = await reasonOf(approvedByAnother, { trust, approvals: [await by("publisher", approval())] });
  assert.deepEqual(reason, { pass: false, message: "publisher made the model; somebody else has to approve it" });
});

test("whoever trained the model cannot approve it", async () => {
  const trust = trustWith({ trainer: ["train", "approve"] });
  assert.equal(
    (await reasonOf(approvedByAnother, { trust, approvals: [await by("trainer", approval())] })).pass,
    false,
  );
});

test("an approval by somebody who may not approve fails and names them", async () => {
  const reason = await reasonOf(approvedByAnother, { approvals: [await by("releaser", approval())] });
  assert.deepEqual(reason, { pass: false, message: "releaser may not approve models of models/breast-cancer" });
});

test("an approval with a stranger's key is as none", async () => {
  assert.equal((await reasonOf(approvedByAnother, { approvals: [await by("stranger", approval())] })).pass, false);
});
