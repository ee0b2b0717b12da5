import assert from "node:assert/strict";
import { test } from "node:test";
import { generatePrivateKeyPem, publicKeyOfPem } from "#crypto";
import { utf8 } from "../bytes.ts";
import { formatVkey, type KeyType, noteKey } from "../note/index.ts";
import { publicKeyPem } from "../statements/index.ts";
import { formatTrust, identitiesFor, matchesRepository, parseTrust } from "./index.ts";

const vkey = (name: string, type: KeyType) => {
  const algorithm = type === 6 ? "ml-dsa-44" : "ed25519";
  return formatVkey(noteKey(name, type, publicKeyOfPem(generatePrivateKeyPem(algorithm)).raw));
};
const pem = () => publicKeyPem(publicKeyOfPem(generatePrivateKeyPem("p-256")).spki);

const plane = "tally.example/plane";
const file = {
  format: "tally-trust/v1",
  plane: {
    name: plane,
    log: [vkey(`${plane}/log`, 1), vkey(`${plane}/log`, 6)],
    fleet: [vkey(`${plane}/fleet`, 1), vkey(`${plane}/fleet`, 6)],
  },
  policy: `witness w1 ${vkey("witness.example", 4)}\nquorum w1\n`,
  requiredAlgorithms: ["ed25519", "ml-dsa-44"],
  identities: [
    { name: "publisher", key: pem(), may: ["ingest", "train", "sign-model"], repositories: ["*"] },
    { name: "reviewer", key: pem(), may: ["approve"], repositories: ["breast-*", "team/*"], from: 1000, until: 2000 },
    { name: "releaser", key: pem(), may: ["release"], repositories: ["breast-cancer"] },
  ],
  minimumPlaneSize: 10,
  maximumAgeSeconds: 86_400,
  skewSeconds: 60,
};
const parse = (value: object) => parseTrust(utf8(JSON.stringify(value)));
const refuses = (change: object, message: RegExp) =>
  assert.throws(() => parse({ ...file, ...change }), { code: "trust-invalid", message });
const [publisher] = file.identities;

test("a trust file is read, and written back to the same value", () => {
  const trust = parse(file);
  assert.equal(trust.plane.name, plane);
  assert.deepEqual(
    trust.plane.log.map(({ type }) => type),
    [1, 6],
  );
  assert.equal(trust.policy.witnesses.get("w1")?.key.name, "witness.example");
  assert.equal(trust.identities[0]?.algorithm, "p-256");
  assert.equal(trust.skewSeconds, 60);
  assert.ok(Object.isFrozen(trust));
  assert.deepEqual(parseTrust(formatTrust(trust)), trust);
  assert.deepEqual(JSON.parse(formatTrust(trust)), file);
});

test("limits may be left out, and clocks then have five minutes", () => {
  const { minimumPlaneSize: _, maximumAgeSeconds: __, skewSeconds: ___, ...rest } = file;
  const trust = parse(rest);
  assert.equal(trust.skewSeconds, 300);
  assert.equal("minimumPlaneSize" in trust, false);
  assert.deepEqual(parseTrust(formatTrust(trust)), trust);
});

test("what is wrong is named by its field", () => {
  refuses({ format: "tally-trust/v2" }, /^format: expected one of tally-trust\/v1, found "tally-trust\/v2"$/);
  refuses({ minimumPlanSize: 10 }, /^minimumPlanSize: unknown name; known are format, plane/);
  refuses({ plane: { ...file.plane, log: [] } }, /^plane\.log: expected a list of at least one/);
  refuses({ plane: { ...file.plane, log: ["x"] } }, /^plane\.log\[0\]: /);
  refuses({ plane: { ...file.plane, keys: [] } }, /^plane\.keys: unknown name/);
  refuses({ policy: "witness" }, /^policy: line 1 of the witness policy/);
  refuses({ policy: "" }, /^policy: expected text/);
  refuses({ requiredAlgorithms: ["rsa"] }, /^requiredAlgorithms\[0\]: expected one of ed25519/);
  refuses({ skewSeconds: -1 }, /^skewSeconds: expected an unsigned integer/);
  refuses({ identities: [{ ...publisher, key: "x" }] }, /^identities\[0\]\.key: expected one PEM block/);
  refuses({ identities: [{ ...publisher, may: ["fly"] }] }, /^identities\[0\]\.may\[0\]: expected one of ingest/);
  refuses({ identities: [{ ...publisher, repositories: ["A?"] }] }, /^identities\[0\]\.repositories\[0\]: /);
  refuses({ identities: [{ ...publisher, from: 5, until: 5 }] }, /^identities\[0\]\.until: /);
  refuses({ identities: [{ ...publisher, untill: 5 }] }, /^identities\[0\]\.untill: unknown name/);
  assert.throws(() => parseTrust("{"), { code: "trust-invalid" });
  assert.throws(() => parseTrust('{"format":1,"format":2}'), { code: "trust-invalid", message: /stands twice/ });
});

test("keys of another log are refused where the log's own keys stand", () => {
  const log = [vkey("other.example/log", 1), ...file.plane.log];
  refuses({ plane: { ...file.plane, log } }, /^plane\.log\[0\]: the key is named other\.example\/log/);
});

test("an algorithm that is required must be among the keys of both logs", () => {
  const fleet = file.plane.fleet.slice(0, 1);
  refuses({ plane: { ...file.plane, fleet } }, /^plane\.fleet: requiredAlgorithms asks for ml-dsa-44/);
});

test("one person under two names, who could approve their own model, is refused", () => {
  const twin = { ...publisher, name: "reviewer", may: ["approve"] };
  refuses({ identities: [publisher, twin] }, /^identities: publisher and reviewer have the same key/);
  assert.equal(parse({ ...file, identities: [publisher, { ...publisher, may: ["release"] }] }).identities.length, 2);
});

test("identities are found by what they may do, where and when", () => {
  const trust = parse(file);
  const names = (question: Parameters<typeof identitiesFor>[1]) =>
    identitiesFor(trust, question).map(({ name }) => name);
  assert.deepEqual(names({ action: "train", repository: "anything/at/all" }), ["publisher"]);
  assert.deepEqual(names({ action: "approve", repository: "breast-cancer", atMs: 1000 }), ["reviewer"]);
  assert.deepEqual(names({ action: "approve", repository: "breast-cancer", atMs: 999 }), []);
  assert.deepEqual(names({ action: "approve", repository: "breast-cancer", atMs: 2000 }), []);
  assert.deepEqual(names({ action: "approve", repository: "lung-cancer", atMs: 1500 }), []);
  assert.deepEqual(names({ action: "release", repository: "breast-cancer" }), ["releaser"]);
  assert.deepEqual(names({ action: "release", repository: "breast-cancer-2" }), []);
  assert.deepEqual(names({ action: "evaluate", repository: "breast-cancer" }), []);
});

test("an identity that is limited to a period is left out where no time is proven", () => {
  assert.deepEqual(identitiesFor(parse(file), { action: "approve", repository: "breast-cancer" }), []);
});

test("in a repository pattern a star stands for any run of characters", () => {
  const matches = (pattern: string, ...repositories: string[]) =>
    repositories.map((r) => matchesRepository(pattern, r));
  assert.deepEqual(matches("*", "a", "a/b"), [true, true]);
  assert.deepEqual(matches("team/*", "team/a", "team/a/b", "team", "teams/a"), [true, true, false, false]);
  assert.deepEqual(matches("a*b*c", "abc", "a-b-b-c", "acb", "abcd"), [true, true, false, false]);
  assert.deepEqual(matches("ab*ba", "abba", "aba"), [true, false]);
  assert.deepEqual(matches("*a*a", "aa", "a"), [true, false]);
});
