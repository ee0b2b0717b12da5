import assert from "node:assert/strict";
import { test } from "node:test";
import { generatePrivateKeyPem, publicKeyOfPem } from "#crypto";
import { formatVkey, noteKey, parsePolicy, postQuantumPolicy, quorumTimes, type VerifiedSignature } from "./index.ts";

const keyOf = (name: string, type: 4 | 6) =>
  noteKey(`${name}.example`, type, publicKeyOfPem(generatePrivateKeyPem(type === 6 ? "ml-dsa-44" : "ed25519")).raw);
const keys = { a4: keyOf("a", 4), a6: keyOf("a", 6), b4: keyOf("b", 4), b6: keyOf("b", 6), c4: keyOf("c", 4) };
const witnesses = Object.entries(keys).map(([name, key]) => `witness ${name} ${formatVkey(key)}\n`);
const policyOf = (...lines: string[]) => parsePolicy([...witnesses, ...lines.map((line) => `${line}\n`)].join(""));
const seen = (...times: [keyof typeof keys, number][]): VerifiedSignature[] =>
  times.map(([name, time]) => ({ key: keys[name], time }));

test("of a policy only its ML-DSA witnesses remain, and groups ask for what is left of them", () => {
  const policy = postQuantumPolicy(policyOf("group pair all a4 a6", "group all2 2 pair b6 c4", "quorum all2"))!;
  assert.deepEqual([...policy.witnesses.keys()], ["a6", "b6"]);
  assert.equal(quorumTimes(policy, seen(["a6", 5], ["a4", 1])).notAfter, null);
  assert.equal(quorumTimes(policy, seen(["a6", 5], ["b6", 9])).notAfter, 9);
});

test("where no ML-DSA witness is asked, nothing proves a time in the long run", () => {
  assert.equal(postQuantumPolicy(policyOf("group old any a4 b4", "quorum old")), undefined);
  assert.equal(postQuantumPolicy(policyOf("quorum c4")), undefined);
  assert.equal(postQuantumPolicy(policyOf("quorum none")), undefined);
});
