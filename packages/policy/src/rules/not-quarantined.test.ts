import assert from "node:assert/strict";
import { test } from "node:test";
import { type Digest, digestOf, type QuarantineWord, quarantineStatement, utf8 } from "@tally/evidence";
import { decide } from "../decide.ts";
import { notQuarantined } from "./not-quarantined.ts";
import { approval, by, manifest, reasonOf, requestOf } from "./story.ts";

const quarantine = (more: Partial<QuarantineWord> = {}) =>
  quarantineStatement({
    decision: "quarantine",
    what: { kind: "model", manifest },
    reason: "poisoned",
    at: 1,
    ...more,
  } as QuarantineWord);
const lift = (lifts: Digest) =>
  quarantineStatement({ decision: "lift", lifts, subjects: [{ digest: manifest }], reason: "cleared", at: 2 });

test("a model of which nobody keeps anything under quarantine passes", async () => {
  assert.deepEqual(await reasonOf(notQuarantined), { pass: true, message: "no quarantine stands" });
});

test("a quarantined model is neither released nor loaded, until that is lifted; it may be approved", async () => {
  const stands = await by("reviewer", quarantine());
  const approvals = [await by("second-reviewer", approval())];
  const reason = await reasonOf(notQuarantined, { approvals: [...approvals, stands] });
  assert.deepEqual(reason, { pass: false, message: "quarantined by reviewer: poisoned" });
  for (const gate of ["release", "load"] as const) {
    const verdict = decide(await requestOf({ approvals: [...approvals, stands], request: { gate } }));
    const failed = verdict.reasons.filter(({ result }) => result === "fail").map(({ rule }) => rule);
    assert.deepEqual([verdict.allow, failed], [false, ["not-quarantined"]]);
  }
  const lifted = [...approvals, stands, await by("releaser", lift(stands.digest))];
  const verdict = decide(await requestOf({ approvals: lifted }));
  assert.equal(verdict.allow, true);
  for (const { digest } of lifted.slice(1)) assert.ok(verdict.inputs.includes(digest));
});

test("attack: who may not put under quarantine neither does nor lifts it", async () => {
  const forged = await by("second-reviewer", quarantine());
  assert.equal((await reasonOf(notQuarantined, { approvals: [forged] })).pass, true);
  const stands = await by("reviewer", quarantine());
  const byAnother = await by("second-reviewer", lift(stands.digest));
  assert.equal((await reasonOf(notQuarantined, { approvals: [stands, byAnother] })).pass, false);
});

test("a lifting ends the one that it names, and no later one", async () => {
  const first = await by("reviewer", quarantine());
  const lifted = await by("reviewer", lift(first.digest));
  const again = await by("reviewer", quarantine({ at: 3 }));
  assert.equal((await reasonOf(notQuarantined, { approvals: [first, lifted] })).pass, true);
  assert.equal((await reasonOf(notQuarantined, { approvals: [first, lifted, again] })).pass, false);
  assert.equal((await reasonOf(notQuarantined, { approvals: [lifted, first] })).pass, false, "said before it stood");
  const other = await by("reviewer", lift(digestOf(utf8("another statement"))));
  assert.equal((await reasonOf(notQuarantined, { approvals: [first, other] })).pass, false);
});
