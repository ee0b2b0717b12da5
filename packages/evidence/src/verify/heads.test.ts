import assert from "node:assert/strict";
import { test } from "node:test";
import { type BundleMember, headsLeafMember, headsLeavesMember, type Member } from "../bundle/index.ts";
import { encodeHeadLeaf, type HeadsLeaf } from "../entries/index.ts";
import { emptyRoot, hashLeaf, rootOf } from "../merkle/index.ts";
import { Checklist } from "./check.ts";
import type { Enrolment, Fleet } from "./fleet-entries.ts";
import { verifyHeads } from "./heads.ts";
import { materialsOf } from "./materials-at-hand.ts";
import type { PlaneLog } from "./plane-log.ts";

const origins = ["a", "b", "c"].map((id) => `plane.test/d/${id.repeat(32)}/0`);
const leafOf = (origin: string) =>
  encodeHeadLeaf({
    origin,
    pendingSize: 0,
    pendingRoot: emptyRoot,
    pendingNoteHash: null,
    mirroredSize: 0,
    mirroredRoot: emptyRoot,
  });
const fleetOf = (admitted: readonly string[]): Fleet => ({
  enrolments: new Map(admitted.map((origin) => [origin, { origin } as Enrolment])),
  revokedKeys: new Map(),
  decisions: [],
  notUnderstood: [],
});

/** Judges a heads tree over these origins, in this order, against those that were admitted. */
async function judge(all: boolean, tree: readonly string[], admitted: readonly string[], members: readonly Member[]) {
  const entry = { kind: "heads", time: 0, fleetSize: 1, fleetRoot: emptyRoot, n: tree.length, root: rootOf(tree.map((o) => hashLeaf(leafOf(o)))) } as HeadsLeaf; // biome-ignore format: one tree
  const checklist = new Checklist();
  const materials = await materialsOf(members);
  const log = {
    entries: new Map([[7, { index: 7, entry, member: {} as BundleMember, notAfter: 5 }]]),
    notAfter: () => 5,
  } as unknown as PlaneLog;
  const heads = verifyHeads({ index: 7, entry }, all, log, fleetOf(admitted), materials, checklist);
  const failed = checklist.checks.filter(({ result }) => result !== "good");
  if (failed.length === 0) assert.ok(heads !== undefined);
  return failed.map(({ result, reason }) => `${result}: ${reason}`).join();
}
const leaves = (list: readonly string[], from = 0) => headsLeavesMember({ heads: 7, from, leaves: list.map(leafOf) });
const single = (tree: readonly string[], position: number) =>
  headsLeafMember({
    heads: 7,
    position,
    leaf: leafOf(tree[position]!),
    proof: [hashLeaf(leafOf(tree[1 - position]!))],
  });

const [a, b, c] = origins as [string, string, string];

test("every ledger admitted has its leaf, in its place", async () => {
  assert.equal(await judge(true, origins, origins.toReversed(), [leaves(origins)]), "");
  assert.equal(await judge(false, [a, b], [b, a], [single([a, b], 1)]), "");
});

test("attack: a ledger without a leaf, a leaf without a ledger, leaves out of order", async () => {
  assert.match(await judge(true, [a, b], origins, [leaves([a, b])]), /^bad: .*admitted and has no leaf/);
  assert.match(await judge(true, [a, c], origins, [leaves([a, c])]), /^bad: .*admitted and has no leaf/);
  assert.match(await judge(true, origins, [a, b], [leaves(origins)]), /^bad: .*was never admitted/);
  assert.match(await judge(true, [b, a], [a, b], [leaves([b, a])]), /^bad: .*has no leaf in its place/);
});

test("attack: leaves that are not the tree's, are not all of it, or come twice", async () => {
  assert.match(await judge(true, origins, origins, [leaves([a, b])]), /^not made: .*from 2 .*missing/);
  assert.match(await judge(true, origins, origins, [leaves([b, c], 1)]), /^not made: .*from 0 .*missing/);
  assert.match(await judge(true, [a, b], [a, c], [leaves([a, c])]), /^bad: .*do not give the root/);
  assert.match(await judge(true, origins, origins, [leaves([a, b]), leaves([b, c], 1)]), /^bad: .*there twice/);
});

test("attack: a receipt's leaf from a tree that has two for one ledger, or too many leaves", async () => {
  assert.match(await judge(false, [b, a], [a, b], [single([b, a], 0)]), /^bad: .*not in the place/);
  assert.match(await judge(false, [a, a], [a, b], [single([a, a], 1)]), /^bad: .*not in the place/);
  assert.match(await judge(false, [a, b], [a], [single([a, b], 0)]), /^bad: .*1 ledgers were admitted/);
  assert.match(
    await judge(false, [a, b], [a, b], [headsLeafMember({ heads: 7, position: 0, leaf: leafOf(a), proof: [] })]),
    /^bad/,
  );
  assert.match(
    await judge(false, [a, b], [a, b], [headsLeafMember({ heads: 8, position: 0, leaf: leafOf(a), proof: [] })]),
    /^not made/,
  );
});
