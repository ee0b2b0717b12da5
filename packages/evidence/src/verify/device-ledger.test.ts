import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceEntryMember, entriesMember, type Member, rangeProofMember } from "../bundle/index.ts";
import { asHash } from "../digest.ts";
import { type Entry, encodeEntry } from "../entries/index.ts";
import { hashLeaf, hashNode, rootOf } from "../merkle/index.ts";
import { Checklist } from "./check.ts";
import { verifyLedger } from "./device-ledger.ts";
import type { Enrolment } from "./fleet-entries.ts";
import { materialsOf } from "./materials-at-hand.ts";

const deviceId = "ab".repeat(16);
const origin = `plane.test/d/${deviceId}/0`;
const keySet = [{ type: 1 as const, publicKey: new Uint8Array(32) }];
const root = rootOf([]);
const genesis: Entry = {
  kind: "genesis",
  time: 0,
  version: 1,
  deviceId,
  epoch: 0,
  keySet,
  plane: "plane.test",
  anchor: { size: 0, root, noteHash: asHash(new Uint8Array(32)) },
  nonce: asHash(new Uint8Array(32)),
};
const anchor = (size: number): Entry => ({ kind: "anchor", time: 0, size, root, noteHash: asHash(new Uint8Array(32)) });

/** A ledger of four entries, of which the first is as given. */
function fourEntries(first: Entry = genesis) {
  const bytes = [first, anchor(1), anchor(2), anchor(3)].map(encodeEntry);
  const leaves = bytes.map(hashLeaf);
  const enrolment: Enrolment = {
    origin,
    deviceId,
    epoch: 0,
    genesisHash: leaves[0]!,
    keySets: [{ fromSize: 0, keys: keySet }],
    revoked: undefined,
    decommissioned: false,
  };
  const proofOf = (i: number) => [
    leaves[i ^ 1]!,
    i < 2 ? hashNode(leaves[2]!, leaves[3]!) : hashNode(leaves[0]!, leaves[1]!),
  ];
  return { bytes, leaves, enrolment, root: rootOf(leaves), proofOf };
}

async function judge(parts: ReturnType<typeof fourEntries>, members: readonly Member[], by = parts.enrolment) {
  const checklist = new Checklist();
  const materials = await materialsOf(members);
  const plan = { start: 0, sizes: [] };
  const leaf = {
    origin,
    pendingSize: 4,
    pendingRoot: parts.root,
    pendingNoteHash: null,
    mirroredSize: 4,
    mirroredRoot: parts.root,
  };
  const ledger = await verifyLedger({ leaf, heads: 0, position: 0, notAfter: null }, by, plan, materials, checklist);
  const failed = checklist.checks.filter(({ result }) => result !== "good");
  if (failed.length === 0) assert.ok(ledger !== undefined);
  return failed.map(({ name, result, reason }) => `${result} ${name}: ${reason}`).join();
}

const four = fourEntries();
const single = (index: number, parts = four) =>
  deviceEntryMember(origin, { index, bytes: parts.bytes[index]!, size: 4, proof: parts.proofOf(index) });
const whole = [
  entriesMember({ origin, from: 0, items: four.bytes.slice(0, 2) }),
  entriesMember({ origin, from: 2, items: four.bytes.slice(2) }),
];
const range = (from: number, to: number, size = 4) => rangeProofMember({ origin, from, to, size, left: [], right: [] });

test("a slice and single entries are proven under the mirrored head", async () => {
  assert.equal(await judge(four, [...whole, range(0, 4)]), "");
  assert.equal(await judge(four, [single(0), single(3)]), "");
});

test("attack: entries at other places, of other bytes, or under proofs of other sizes", async () => {
  const proven = { index: 2, bytes: four.bytes[2]!, size: 4, proof: four.proofOf(2) };
  for (const lie of [{ index: 3 }, { bytes: four.bytes[1]! }, { size: 5 }, { proof: [] }]) {
    const member = deviceEntryMember(origin, { ...proven, ...lie });
    assert.match(await judge(four, [single(0), member]), /^bad device entry/, JSON.stringify(Object.keys(lie)));
  }
  assert.match(await judge(four, [...whole, range(0, 4, 5)]), /^bad entries: the proof is for size 5/);
  const exchanged = entriesMember({ origin, from: 0, items: four.bytes.toReversed() });
  assert.match(await judge(four, [exchanged, range(0, 4)]), /^bad entries/);
});

test("attack: a slice with a hole, with an entry twice, or shorter than it says", async () => {
  assert.match(await judge(four, [whole[0]!, range(0, 4)]), /^not made entries: entries from 2 on are missing/);
  assert.match(await judge(four, [whole[1]!, range(0, 4)]), /^not made entries: entries from 0 on are missing/);
  const twice = entriesMember({ origin, from: 1, items: four.bytes.slice(1) });
  assert.match(await judge(four, [whole[0]!, twice, range(0, 4)]), /^bad entries: entries from 1 on are there twice/);
  assert.match(await judge(four, [...whole, range(0, 3)]), /^bad entries/);
});

test("attack: a first entry that is not the one enrolled, or says that it is somebody else's", async () => {
  const { enrolment } = four;
  assert.match(await judge(four, [single(1)]), /^not made genesis/);
  assert.match(
    await judge(four, [single(0)], { ...enrolment, genesisHash: four.leaves[1]! }),
    /^bad genesis: .*not the one/,
  );
  const lies: readonly [Entry, RegExp][] = [
    [{ ...genesis, deviceId: "cd".repeat(16) } as Entry, /says that it is/],
    [{ ...genesis, epoch: 1 } as Entry, /says that it is/],
    [{ ...genesis, plane: "other.test" } as Entry, /says that it is/],
    [{ ...genesis, keySet: [{ type: 4, publicKey: new Uint8Array(32) }] } as Entry, /enrolled other keys/],
    [{ ...genesis, keySet: [...keySet, ...keySet] } as Entry, /enrolled other keys/],
    [anchor(0), /first entry is anchor/],
  ];
  for (const [first, reason] of lies) {
    const parts = fourEntries(first);
    assert.match(await judge(parts, [single(0, parts)]), reason);
  }
});
