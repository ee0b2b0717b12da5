import assert from "node:assert/strict";
import { test } from "node:test";
import { type Member, memberTypes } from "../bundle/index.ts";
import { utf8 } from "../bytes.ts";
import { generatePrivateKeyPem } from "../crypto/node.ts";
import { hashLeaf, rootOf } from "../merkle/index.ts";
import { formatNote, formatVkey, noteSignerFromPem, parseNote, signCheckpoint } from "../note/index.ts";
import { parseTrust } from "../trust/index.ts";
import { Checklist } from "./check.ts";
import { materialsOf } from "./materials-at-hand.ts";
import { verifyPlaneLog } from "./plane-log.ts";

const plane = "plane.test";
const pem = generatePrivateKeyPem("ed25519");
const log = noteSignerFromPem(`${plane}/log`, 1, pem);
const fleet = noteSignerFromPem(`${plane}/fleet`, 1, pem);
const witnesses = ["a", "b", "c"].map((name) =>
  noteSignerFromPem(`${name}.test/w`, 4, generatePrivateKeyPem("ed25519")),
);
const trustWith = (policy: string) =>
  parseTrust(
    JSON.stringify({
      format: "tally-trust/v1",
      plane: { name: plane, log: [formatVkey(log.key)], fleet: [formatVkey(fleet.key)] },
      policy,
      requiredAlgorithms: ["ed25519"],
      identities: [],
    }),
  );
const lines = witnesses.map(({ key }, i) => `witness ${"abc"[i]} ${formatVkey(key)}\n`).join("");
const twoOfThree = trustWith(`${lines}group g 2 a b c\nquorum g\n`);
const noWitness = trustWith("quorum none\n");

const rootAt = (size: number, branch = "") =>
  rootOf(Array.from({ length: size }, (_, i) => hashLeaf(utf8(branch + i))));

/** A note of the plane, with cosignatures by witness number and second. */
async function note(
  size: number,
  cosigned: readonly (readonly [number, number])[],
  branch = "",
  origin = log.key.name,
) {
  const checkpoint = { origin, size, root: rootAt(size, branch) };
  const { text, signatures } = parseNote(await signCheckpoint(checkpoint, [log], 0));
  const more = await Promise.all(cosigned.map(([which, seconds]) => witnesses[which]!.sign(checkpoint, seconds)));
  return { type: memberTypes.planeCheckpoint, bytes: utf8(formatNote(text, [...signatures, ...more])) };
}

async function verify(trust: typeof twoOfThree, ...members: readonly Member[]) {
  const checklist = new Checklist();
  const read = verifyPlaneLog(await materialsOf(members), trust, checklist);
  const failed = checklist.checks.filter(({ result, required }) => required && result !== "good");
  return { log: read, failed: failed.map(({ name, result, reason }) => `${result} ${name}: ${reason}`) };
}

test("the bracket of a checkpoint is the quorum's, whatever single witnesses say", async () => {
  const read = await verify(twoOfThree, await note(3, [[0, 100], [1, 200], [2, 9_000_000]])); // biome-ignore format: pairs
  assert.deepEqual(read.failed, []);
  assert.equal(read.log?.newest.notBefore, 200_000);
  assert.equal(read.log?.newest.notAfter, 200_999);
});

test("attack: a cosignature replayed with another time moves each bound only to where a quorum stands", async () => {
  const early = [[0, 100], [1, 110]] as const; // biome-ignore format: pairs
  const again = await note(3, [...early, [0, 50_000]]);
  const read = await verify(twoOfThree, again);
  assert.deepEqual(read.failed, []);
  assert.equal(read.log?.newest.notAfter, 110_999);
  assert.equal(read.log?.newest.notBefore, 110_000);
  const both = await verify(twoOfThree, await note(3, [...early, [0, 50_000], [1, 60_000]]));
  assert.equal(both.log?.newest.notBefore, 50_000_000, "the note itself is no older than its second quorum");
  assert.equal(both.log?.newest.notAfter, 110_999, "the tree is no younger than its first");
});

test("attack: one witness many times, too few witnesses, or none", async () => {
  for (const cosigned of [
    [
      [0, 1],
      [0, 2],
      [0, 3],
    ],
    [[0, 1]],
    [],
  ] as const) {
    // biome-ignore format: pairs
    const read = await verify(twoOfThree, await note(3, cosigned));
    assert.match(read.failed.join(), /^bad witness quorum/);
    assert.equal(read.log, undefined);
  }
});

test("attack: two roots for one size, cosigned or not", async () => {
  const cosigned = [[0, 1], [1, 2]] as const; // biome-ignore format: pairs
  const split = await verify(twoOfThree, await note(3, cosigned), await note(3, cosigned, "other"));
  assert.match(split.failed.join(), /^bad plane consistency: the plane signed two roots for one size/);
  assert.equal(split.log, undefined);
  const asserted = await verify(noWitness, await note(3, []), await note(3, [], "other"));
  assert.match(asserted.failed.join(), /two roots/);
});

test("attack: a larger checkpoint of another history, and one without a proof", async () => {
  const cosigned = [[0, 1], [1, 2]] as const; // biome-ignore format: pairs
  const read = await verify(twoOfThree, await note(3, cosigned), await note(3, [[1, 5], [2, 6]]), await note(7, cosigned, "other")); // biome-ignore format: pairs
  assert.match(read.failed.join(), /^not made plane consistency/);
  assert.equal(read.log, undefined);
});

test("attack: a checkpoint of another log under the plane's key", async () => {
  const read = await verify(noWitness, await note(3, [], "", `${plane}/other`));
  assert.match(read.failed.join(), /^bad plane checkpoint: .*not of plane.test\/log/);
});

test("without witnesses a plane's own word is no witness's", async () => {
  const read = await verify(noWitness, await note(3, []));
  assert.equal(read.log?.newest.label, "plane-asserted");
  assert.equal(read.log?.newest.notAfter, null);
  assert.equal(read.log?.notAfter(0), null);
});
