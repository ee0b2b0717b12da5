import assert from "node:assert/strict";
import { test } from "node:test";
import { notRejected } from "./not-rejected.ts";
import { approval, by, reasonOf } from "./story.ts";

test("a model that nobody rejected passes", async () => {
  assert.deepEqual(await reasonOf(notRejected), { pass: true, message: "no rejection stands" });
});

test("a rejection stands beside another person's approval, whichever came first", async () => {
  const approved = await by("reviewer", approval());
  const rejected = await by("second-reviewer", approval("rejected"));
  for (const approvals of [
    [approved, rejected],
    [rejected, approved],
  ]) {
    assert.deepEqual(await reasonOf(notRejected, { approvals }), {
      pass: false,
      message: "rejected by second-reviewer",
    });
  }
});

test("only who rejected takes it back, by approving later", async () => {
  const approved = await by("reviewer", approval());
  const rejected = await by("reviewer", approval("rejected"));
  assert.equal((await reasonOf(notRejected, { approvals: [rejected, approved] })).pass, true);
  assert.equal((await reasonOf(notRejected, { approvals: [approved, rejected] })).pass, false);
});

test("a rejection by somebody who may not approve does not stand", async () => {
  const approvals = [await by("reviewer", approval()), await by("releaser", approval("rejected"))];
  assert.equal((await reasonOf(notRejected, { approvals })).pass, true);
});
