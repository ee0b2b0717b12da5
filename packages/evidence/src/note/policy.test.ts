import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { sha256 } from "../digest.ts";
import {
  formatVkey,
  type KeyType,
  noteKey,
  parsePolicy,
  quorumMet,
  quorumTimes,
  type VerifiedSignature,
  witnessNames,
} from "./index.ts";

const invalid = { name: "EvidenceError", code: "policy-invalid" };
// Public keys are only compared here, so that any 32 bytes serve.
const keyOf = (name: string, type: KeyType = 4) =>
  noteKey(`${name}.example`, type, sha256(new TextEncoder().encode(name)));
const vkey = (name: string, type: KeyType = 4) => formatVkey(keyOf(name, type));
const seen = (name: string, time: number | null): VerifiedSignature => ({ key: keyOf(name), time });

/** The specification's example, with keys. */
const example = `
# two organisations
log ${vkey("log", 1)} https://log.example/

witness X1 ${vkey("x1")} https://x1.example/witness
witness X2 ${vkey("x2")}
witness X3\t${vkey("x3")}
group X-witnesses 2 X1 X2 X3
  witness Y1 ${vkey("y1")}
witness Y2 ${vkey("y2")}
group Y-witnesses any Y1 Y2

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
`;

test("the specification's example is read, with its keys, URLs and groups", () => {
  const policy = parsePolicy(example);
  assert.deepEqual(policy.logs, [keyOf("log", 1)]);
  assert.equal(policy.logUrls.get("log.example"), "https://log.example/");
  assert.deepEqual([...policy.witnesses.keys()], ["X1", "X2", "X3", "Y1", "Y2"]);
  assert.deepEqual(policy.witnesses.get("X1"), { key: keyOf("x1"), url: "https://x1.example/witness" });
  assert.deepEqual(policy.witnesses.get("Y2"), { key: keyOf("y2") });
});

test("a quorum of groups is met only as its thresholds say", () => {
  const policy = parsePolicy(example);
  const met = (...names: string[]) => quorumMet(policy, new Set(names));
  assert.equal(met("X1", "X3", "Y2"), true);
  assert.equal(met("X1", "X2", "X3", "Y1", "Y2"), true);
  assert.equal(met("X1", "Y1", "Y2"), false);
  assert.equal(met("X1", "X2", "X3"), false);
  assert.equal(met("X-and-Y"), false);
  assert.equal(met("stranger", "other"), false);
  assert.equal(met(), false);
});

test("one witness can be the quorum, and none asks for nobody", () => {
  const single = parsePolicy(`witness W ${vkey("w")}\nquorum W\n`);
  assert.equal(quorumMet(single, new Set(["W"])), true);
  assert.equal(quorumMet(single, new Set()), false);
  const none = parsePolicy("quorum none");
  assert.equal(quorumMet(none, new Set()), true);
  assert.deepEqual(quorumTimes(none, [seen("w", 5)]), { notBefore: null, notAfter: null });
});

test("a policy that is not well formed is refused, with the line", () => {
  const w = `witness W ${vkey("w")}`;
  const cases = {
    "no quorum": w,
    "two quorums": `${w}\nquorum W\nquorum W`,
    "an undefined quorum": "quorum W",
    "a quorum before its witness": `quorum W\n${w}`,
    "a group before its witness": `group G any W\n${w}\nquorum none`,
    "an empty group": "group G any\nquorum none",
    "a threshold of none": `${w}\ngroup G 0 W\nquorum G`,
    "a threshold too high": `${w}\ngroup G 2 W\nquorum G`,
    "a threshold in hexadecimal": `${w}\ngroup G 0x1 W\nquorum G`,
    "a member twice": `${w}\ngroup G any W W\nquorum G`,
    "a member of two groups": `${w}\ngroup G any W\ngroup H any W\nquorum G`,
    "a name twice": `${w}\nwitness W ${vkey("v")}\nquorum W`,
    "a group named as a witness": `${w}\ngroup W any W\nquorum W`,
    "a witness named none": `witness none ${vkey("w")}\nquorum none`,
    "none in a group": "group G any none\nquorum G",
    "a key twice": `${w}\nwitness V ${vkey("w")}\nquorum W`,
    "a log key twice": `log ${vkey("l", 1)}\nlog ${vkey("l", 1)}\nquorum none`,
    "a log with a witness's key type": `log ${vkey("l", 4)}\nquorum none`,
    "a witness with a log's key type": `witness W ${vkey("w", 1)}\nquorum W`,
    "a damaged key": `witness W ${vkey("w").slice(0, -3)}\nquorum W`,
    "words left over": `${w} https://a b\nquorum W`,
    "an unknown keyword": "trust everyone\nquorum none",
    "a carriage return": "quorum none\r\n",
    nothing: "",
  };
  for (const [what, text] of Object.entries(cases)) assert.throws(() => parsePolicy(text), invalid, what);
  assert.throws(() => parsePolicy(`${w}\n\ngroup G any V\nquorum G\n`), { message: /^line 3 / });
});

test("the same key under two names and types counts as one witness", () => {
  const publicKey = keyOf("w").publicKey;
  const again = formatVkey(noteKey("other.example", 4, publicKey));
  assert.throws(() => parsePolicy(`witness A ${vkey("w")}\nwitness B ${again}\nquorum none`), invalid);
});

test("a quorum's bracket: not before the time that enough confirm, not after the time by which enough had", () => {
  const policy = parsePolicy(example);
  const signatures = [seen("x1", 100), seen("x2", 300), seen("x3", 200), seen("y1", 150)];
  // 150: y1 is the one Y. With time ≥ 150: x2, x3, y1. With time ≤ 200: x1, y1, x3.
  assert.deepEqual(quorumTimes(policy, signatures), { notBefore: 150, notAfter: 200 });
  assert.deepEqual(quorumTimes(policy, signatures.slice(0, 3)), { notBefore: null, notAfter: null });
});

test("a witness that cosigned twice counts once, by either time", () => {
  const policy = parsePolicy(`witness A ${vkey("a")}\nwitness B ${vkey("b")}\ngroup G 2 A B\nquorum G\n`);
  assert.deepEqual(quorumTimes(policy, [seen("a", 1), seen("a", 9)]), { notBefore: null, notAfter: null });
  const signatures = [seen("a", 10), seen("a", 20), seen("b", 15)];
  assert.deepEqual(quorumTimes(policy, signatures), { notBefore: 15, notAfter: 15 });
});

test("cosignatures without a time and of strangers do not count", () => {
  const policy = parsePolicy(`witness A ${vkey("a")}\nquorum A\n`);
  const stranger: VerifiedSignature = { key: noteKey("other.example", 4, keyOf("a").publicKey), time: 5 };
  for (const signature of [seen("a", null), seen("a", 0), seen("b", 5), stranger]) {
    assert.deepEqual(quorumTimes(policy, [signature]), { notBefore: null, notAfter: null });
    assert.deepEqual(witnessNames(policy, [signature]), new Set());
  }
  assert.deepEqual(witnessNames(policy, [seen("a", 5)]), new Set(["A"]));
});

test("the bracket is what its definition says, for any times", () => {
  const policy = parsePolicy(example);
  const names = ["x1", "x2", "x3", "y1", "y2"];
  const signatures = fc.array(fc.tuple(fc.constantFrom(...names), fc.integer({ min: 1, max: 9 })), { maxLength: 8 });
  fc.assert(
    fc.property(signatures, (pairs) => {
      const all = pairs.map(([name, time]) => seen(name, time));
      const meets = (some: VerifiedSignature[]) => quorumMet(policy, witnessNames(policy, some));
      const times = [1, 2, 3, 4, 5, 6, 7, 8, 9];
      const notBefore = times.filter((t) => meets(all.filter(({ time }) => time! >= t))).at(-1) ?? null;
      const notAfter = times.find((t) => meets(all.filter(({ time }) => time! <= t))) ?? null;
      assert.deepEqual(quorumTimes(policy, all), { notBefore, notAfter });
    }),
  );
});
