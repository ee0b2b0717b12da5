import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { decide, PolicyError, permitBytes, permitDigest, requireAllowed } from "./index.ts";
import { approval, by, manifest, requestOf, trustWith } from "./rules/story.ts";

test("a signed, approved and released model is allowed at every gate, with all its grounds named", async () => {
  for (const gate of ["approve", "release", "load"] as const) {
    const request = await requestOf({ request: { gate } });
    const verdict = decide(request);
    assert.equal(verdict.allow, true, JSON.stringify(verdict.reasons));
    assert.equal(requireAllowed(verdict), verdict);
    assert.equal(verdict.subject, manifest);
    const known = new Set(request.statements.map((statement) => statement.envelope));
    assert.ok(verdict.inputs.length >= 3);
    for (const input of verdict.inputs) assert.ok(known.has(input));
  }
});

test("the same request gives the same permit, and the clock is part of it", async () => {
  const request = await requestOf();
  assert.equal(
    permitDigest(decide(request)),
    permitDigest(decide({ ...request, statements: [...request.statements] })),
  );
  assert.notEqual(permitDigest(decide(request)), permitDigest(decide({ ...request, at: 5 })));
});

test("a permit is the SHA-256 of the verdict's canonical JSON", async () => {
  const verdict = decide(await requestOf());
  const bytes = permitBytes(verdict);
  assert.equal(permitDigest(verdict), `sha256:${createHash("sha256").update(bytes).digest("hex")}`);
  assert.deepEqual(JSON.parse(new TextDecoder().decode(bytes)), JSON.parse(JSON.stringify(verdict)));
});

test("a verdict names the policy: another trust file is another policy", async () => {
  const one = decide(await requestOf());
  const two = decide(await requestOf({ trust: trustWith({ stranger: [], trainer: [] }) }));
  assert.notEqual(one.policy, two.policy);
});

test("a denial names every rule that failed and stops who requires permission", async () => {
  const verdict = decide(await requestOf({ approvals: [await by("reviewer", approval("rejected"))], releases: [] }));
  assert.equal(verdict.allow, false);
  const failed = verdict.reasons.filter((reason) => reason.result === "fail").map((reason) => reason.rule);
  assert.deepEqual(failed, ["approved-by-another", "not-rejected", "released"]);
  assert.throws(
    () => requireAllowed(verdict),
    (error) => error instanceof PolicyError && error.code === "denied" && /rejected by reviewer/.test(error.message),
  );
});

test("no statements at all deny without an error", async () => {
  const verdict = decide(await requestOf({ request: { statements: [] } }));
  assert.equal(verdict.allow, false);
  assert.deepEqual(verdict.inputs, []);
});

test("an approval may be accepted before there is a release", async () => {
  assert.equal(decide(await requestOf({ releases: [], request: { gate: "approve" } })).allow, true);
  assert.equal(decide(await requestOf({ releases: [], request: { gate: "release" } })).allow, false);
});
