import assert from "node:assert/strict";
import { test } from "node:test";
import { consistencyMember, type Member, memberTypes } from "../bundle/index.ts";
import { utf8 } from "../bytes.ts";
import { generatePrivateKeyPem } from "../crypto/node.ts";
import { type Hash, type LeafHash, sha256 } from "../digest.ts";
import type { HeadLeaf } from "../entries/index.ts";
import { consistencyRanges, emptyRoot, hashLeaf, hashNode, proofFromRanges, rootOf } from "../merkle/index.ts";
import { type NoteSigner, noteSignerFromPem, signCheckpoint } from "../note/index.ts";
import { Checklist } from "./check.ts";
import { verifyEarlierHead, verifyHead } from "./device-head.ts";
import type { Enrolment } from "./fleet-entries.ts";
import type { ProvenHead } from "./heads.ts";
import type { Materials } from "./materials.ts";
import { materialsOf } from "./materials-at-hand.ts";

const origin = `plane.test/d/${"0".repeat(32)}/0`;
const signer = () => noteSignerFromPem(origin, 1, generatePrivateKeyPem("ed25519"));
const [first, second, thief] = [signer(), signer(), signer()];
const keysOf = (...signers: readonly NoteSigner[]) =>
  signers.map(({ key: { type, publicKey } }) => ({ type, publicKey }));
const leaves = (branch = ""): LeafHash[] => Array.from({ length: 20 }, (_, i) => hashLeaf(utf8(branch + i)));
const rootAt = (size: number, branch = "") => rootOf(leaves(branch).slice(0, size));

const enrolment: Enrolment = {
  origin,
  deviceId: "0".repeat(32),
  epoch: 0,
  genesisHash: leaves()[0]!,
  keySets: [{ fromSize: 0, keys: keysOf(first) }],
  revoked: undefined,
  decommissioned: false,
};
const revoked: Enrolment = {
  ...enrolment,
  revoked: { kind: "revoke", time: 0, origin, keyId: "00", compromiseTime: 1, statement: "sha256:" as never },
};

async function note(size: number, signers = [first], branch = ""): Promise<Member> {
  const text = await signCheckpoint({ origin, size, root: rootAt(size, branch) }, signers, 0);
  return { type: memberTypes.deviceCheckpoint, bytes: utf8(text) };
}

async function proof(smaller: number, larger: number, branch = ""): Promise<Member> {
  const node = (level: number, index: number): Hash =>
    level === 0 ? leaves(branch)[index]! : hashNode(node(level - 1, 2 * index), node(level - 1, 2 * index + 1));
  return consistencyMember({
    origin,
    smaller,
    larger,
    proof: await proofFromRanges(consistencyRanges(smaller, larger), node),
  });
}

function head(
  pending: Member | null,
  pendingSize: number,
  mirroredSize: number,
  lie: Partial<HeadLeaf> = {},
): ProvenHead {
  const leaf: HeadLeaf = {
    origin,
    pendingSize,
    pendingRoot: rootAt(pendingSize),
    pendingNoteHash: pending && sha256(pending.bytes),
    mirroredSize,
    mirroredRoot: mirroredSize === 0 ? emptyRoot : rootAt(mirroredSize),
    ...lie,
  };
  return { leaf, heads: 1, position: 0, notAfter: 1 };
}

async function run(members: readonly Member[], check: (materials: Materials, checklist: Checklist) => boolean) {
  const checklist = new Checklist();
  const held = check(await materialsOf(members), checklist);
  const failed = checklist.checks.filter(({ result }) => result !== "good");
  assert.equal(held, failed.length === 0);
  return failed.map(({ name, result, reason }) => `${result} ${name}: ${reason}`).join();
}
const judge = (of: ProvenHead, members: readonly Member[], by = enrolment) =>
  run(members, (materials, checklist) => verifyHead(of, by, materials, checklist));
const judgeEarlier = (earlier: ProvenHead, newest: ProvenHead, members: readonly Member[], by = enrolment) =>
  run(members, (materials, checklist) => verifyEarlierHead(earlier, newest, by, materials, checklist));

test("a head with all of its entries, or with some of them, is signed for both sizes", async () => {
  const [seven, five] = [await note(7), await note(5)];
  assert.equal(await judge(head(seven, 7, 7), [seven]), "");
  assert.equal(await judge(head(seven, 7, 5), [seven, five]), "");
  assert.equal(await judge(head(seven, 7, 0), [seven]), "");
  assert.match(await judge(head(seven, 7, 5), [seven]), /^not made device checkpoint: .*mirrored size 5/);
  assert.match(await judge(head(seven, 7, 7), []), /^not made device checkpoint/);
});

test("attack: notes by a thief, of other roots, and of other sizes", async () => {
  const [seven, forged, other] = [await note(7), await note(7, [thief]), await note(7, [first], "x")];
  assert.match(await judge(head(forged, 7, 7), [forged]), /^bad device checkpoint: .*no signature/);
  assert.match(await judge(head(other, 7, 7), [other]), /^bad device checkpoint: .*not of the head/);
  assert.match(await judge(head(seven, 8, 7), [seven]), /^bad device checkpoint: .*not of the head/);
  assert.match(
    await judge(head(seven, 7, 7, { mirroredRoot: rootAt(7, "x") }), [seven]),
    /^bad .*another root for size 7/,
  );
  const [five, stolen, split] = [await note(5), await note(5, [thief]), await note(5, [first], "x")];
  assert.match(await judge(head(seven, 7, 5), [seven, stolen]), /^bad device checkpoint: .*no signature/);
  assert.match(
    await judge(head(seven, 7, 5), [seven, split]),
    /^bad device checkpoint: .*another root for the mirrored size/,
  );
  const lie = { mirroredRoot: rootAt(5, "x") };
  assert.match(await judge(head(seven, 7, 5, lie), [seven, five]), /^bad device checkpoint: .*another root/);
});

test("keys are handed over by a checkpoint that old and new keys have signed, of this very history", async () => {
  const rotated: Enrolment = {
    ...enrolment,
    keySets: [...enrolment.keySets, { fromSize: 5, keys: keysOf(second) }],
  };
  const seven = await note(7, [second]);
  const handover = await note(5, [first, second]);
  assert.equal(await judge(head(seven, 7, 7), [seven, handover, await proof(5, 7)], rotated), "");
  assert.match(await judge(head(seven, 7, 7), [seven], rotated), /^not made key rotation/);
  for (const alone of [await note(5, [first]), await note(5, [second]), await note(5, [thief, second])]) {
    assert.match(await judge(head(seven, 7, 7), [seven, alone, await proof(5, 7)], rotated), /^not made key rotation/);
  }
  const branch = await note(5, [first, second], "x");
  assert.match(await judge(head(seven, 7, 7), [seven, branch, await proof(5, 7)], rotated), /^bad key rotation/);
  assert.match(
    await judge(head(seven, 7, 7), [seven, handover], rotated),
    /^not made key rotation: .*no consistency proof/,
  );
  const old = await note(4);
  assert.equal(await judge(head(old, 4, 4), [old], rotated), "", "before the new keys, the old ones sign");
});

test("an earlier head is the beginning of the ledger as it is now", async () => {
  const newest = head(await note(7), 7, 7);
  assert.equal(await judgeEarlier(head(await note(5), 5, 5), newest, [await proof(5, 7)]), "");
  assert.equal(await judgeEarlier(head(null, 0, 0, { pendingRoot: emptyRoot }), newest, []), "");
  assert.match(await judgeEarlier(head(await note(5), 5, 5), newest, []), /^not made earlier head consistent/);
  const other = head(await note(5), 5, 5, { pendingRoot: rootAt(5, "x") });
  assert.match(await judgeEarlier(other, newest, [await proof(5, 7)]), /^bad earlier head consistent/);
  const same = head(await note(7), 7, 7, { pendingRoot: rootAt(7, "x") });
  assert.match(await judgeEarlier(same, newest, []), /^bad earlier head consistent: two roots/);
});

test("attack: a plane that says it has less of a ledger than it said before", async () => {
  const [nine, seven] = [await note(9), await note(7)];
  assert.match(await judgeEarlier(head(nine, 9, 7), head(seven, 7, 7), [await proof(7, 9)]), /^bad .*had 9 .* signed/);
  assert.match(await judgeEarlier(head(nine, 9, 9), head(nine, 9, 7), [await proof(7, 9)]), /^bad .*had 9 .* mirrored/);
});

test("for revoked keys an earlier head counts by its own note", async () => {
  const [five, newest] = [await note(5), head(await note(7), 7, 7)];
  const earlier = head(five, 5, 5);
  assert.equal(await judgeEarlier(earlier, newest, [five, await proof(5, 7)], revoked), "");
  assert.match(
    await judgeEarlier(earlier, newest, [await proof(5, 7)], revoked),
    /^not made .*no evidence for revoked keys/,
  );
  const forged = await note(5, [thief]);
  const members = [forged, await proof(5, 7)];
  assert.match(await judgeEarlier(head(forged, 5, 5), newest, members, revoked), /^bad .*no signature/);
});
