import {
  memberTypes,
  parseConsistency,
  parseDeviceEntry,
  parseEntries,
  parseRangeProof,
  type RangeProofMember,
} from "../bundle/index.ts";
import { equalBytes } from "../bytes.ts";
import { digestFromHash, type Hash, type LeafHash, type RootHash } from "../digest.ts";
import { decodeEntry, type Entry, type HeadLeaf } from "../entries/index.ts";
import { EvidenceError } from "../error.ts";
import { hashLeaf, verifyConsistency, verifyInclusion, verifyRange } from "../merkle/index.ts";
import { parseCheckpoint, verifyAllOf } from "../note/index.ts";
import type { Checklist } from "./check.ts";
import { type Enrolment, keySetAt } from "./fleet.ts";
import type { ProvenHead } from "./heads.ts";
import type { Materials } from "./materials.ts";

/** An entry of a device's ledger, proven to be in the tree under its mirrored head. */
export interface ProvenEntry {
  readonly index: number;
  readonly entry: Entry;
  readonly leaf: LeafHash;
}

/** What a bundle proves of one device's ledger: a contiguous slice, and single entries beside it. */
export interface DeviceLedger {
  readonly enrolment: Enrolment;
  readonly head: ProvenHead;
  readonly from: number;
  readonly to: number;
  readonly slice: readonly ProvenEntry[];
  /** Entries of the slice and single ones, by index. */
  readonly entries: ReadonlyMap<number, ProvenEntry>;
}

const name = {
  head: "device checkpoint",
  slice: "entries",
  entry: "device entry",
  genesis: "genesis",
  older: "earlier head consistent",
};

/** Checks a ledger's head: signed with all keys that its enrolment asks for, at least as long as what was mirrored. */
export function verifyHead(
  head: ProvenHead,
  enrolment: Enrolment,
  materials: Materials,
  checklist: Checklist,
): boolean {
  const { leaf } = head;
  const about = leaf.origin;
  if (leaf.pendingNoteHash === null) return false;
  const member = materials.find(memberTypes.deviceCheckpoint, digestFromHash(leaf.pendingNoteHash));
  if (member === undefined) {
    checklist.missing(name.head, about, "the bundle does not hold the checkpoint that the heads leaf names");
    return false;
  }
  const held = checklist.attempt(
    name.head,
    about,
    () => {
      materials.use(member);
      const { note, checkpoint } = parseCheckpoint(member.bytes);
      verifyAllOf(note, leaf.origin, keySetAt(enrolment, checkpoint.size));
      if (checkpoint.size !== leaf.pendingSize || !equalBytes(checkpoint.root, leaf.pendingRoot)) {
        throw broken("the checkpoint is not of the head that the plane's log committed to");
      }
      if (leaf.mirroredSize > 0 && leaf.mirroredSize < leaf.pendingSize) verifyMirrored(leaf, enrolment, materials);
      return keySetAt(enrolment, checkpoint.size).length;
    },
    (keys) => `size ${leaf.pendingSize}, signed with all ${keys} keys of the device`,
  );
  return held !== undefined;
}

/** Where entries are still on their way, the mirrored head is an older checkpoint, which the device has signed as well. */
function verifyMirrored(leaf: HeadLeaf, enrolment: Enrolment, materials: Materials): void {
  for (const member of materials.list(memberTypes.deviceCheckpoint)) {
    const { note, checkpoint } = parseCheckpoint(member.bytes);
    if (checkpoint.origin !== leaf.origin || checkpoint.size !== leaf.mirroredSize) continue;
    materials.use(member);
    verifyAllOf(note, leaf.origin, keySetAt(enrolment, checkpoint.size));
    if (equalBytes(checkpoint.root, leaf.mirroredRoot)) return;
    throw broken("the device has signed another root for the mirrored size");
  }
  throw broken(`the bundle holds no checkpoint of the mirrored size ${leaf.mirroredSize}`);
}

/** Checks the slice and the single entries of one ledger against its mirrored root. */
export function verifyLedger(
  head: ProvenHead,
  enrolment: Enrolment,
  materials: Materials,
  checklist: Checklist,
): DeviceLedger | undefined {
  const origin = enrolment.origin;
  const entries = new Map<number, ProvenEntry>();
  let slice: ProvenEntry[] = [];
  const proof = materials
    .list(memberTypes.rangeProof)
    .map((member) => ({ member, proof: parseRangeProof(member.bytes) }))
    .find((candidate) => candidate.proof.origin === origin);
  if (proof !== undefined) {
    materials.use(proof.member);
    const verified = checklist.attempt(
      name.slice,
      origin,
      () => verifySlice(proof.proof, head.leaf.mirroredSize, head.leaf.mirroredRoot, materials),
      () => `entries ${proof.proof.from} to ${proof.proof.to} of ${proof.proof.size} stand in the tree, none left out`,
    );
    if (verified === undefined) return undefined;
    slice = verified;
    for (const entry of slice) entries.set(entry.index, entry);
  }
  for (const single of verifySingles(origin, head, materials, checklist)) entries.set(single.index, single);
  const genesis = entries.get(0);
  if (genesis === undefined)
    checklist.missing(name.genesis, origin, "the bundle does not hold the ledger's first entry");
  else if (!equalBytes(genesis.leaf, enrolment.genesisHash)) {
    checklist.bad(name.genesis, origin, "the ledger's first entry is not the one that was enrolled");
    return undefined;
  } else checklist.good(name.genesis, origin, "the ledger begins with the entry that was enrolled");
  return { enrolment, head, from: proof?.proof.from ?? 0, to: proof?.proof.to ?? 0, slice, entries };
}

/** Checks that an earlier head of the ledger is of the same history as its mirrored head. */
export function verifyEarlierHead(
  earlier: ProvenHead,
  newest: ProvenHead,
  materials: Materials,
  checklist: Checklist,
): boolean {
  const origin = newest.leaf.origin;
  const held = checklist.attempt(
    name.older,
    origin,
    () => requireConsistent(origin, pending(earlier.leaf), mirrored(newest.leaf), materials),
    () => `its head of size ${earlier.leaf.pendingSize} is the beginning of the mirrored ledger`,
  );
  return held === true;
}

function verifySlice(proof: RangeProofMember, size: number, root: RootHash, materials: Materials): ProvenEntry[] {
  if (proof.size !== size) throw broken(`the proof is for size ${proof.size}, the mirrored head has ${size}`);
  const slice: ProvenEntry[] = [];
  for (const member of materials.list(memberTypes.entries)) {
    const { origin, from, items } = parseEntries(member.bytes);
    if (origin !== proof.origin) continue;
    if (from !== proof.from + slice.length) throw broken(`entries from ${proof.from + slice.length} on are missing`);
    materials.use(member);
    for (const bytes of items) {
      slice.push({ index: proof.from + slice.length, entry: decodeEntry(bytes), leaf: hashLeaf(bytes) });
    }
  }
  if (proof.from + slice.length !== proof.to) throw broken(`entries from ${proof.from + slice.length} on are missing`);
  const leaves = slice.map(({ leaf }): Hash => leaf);
  verifyRange(proof.from, proof.to, size, leaves, { left: [...proof.left], right: [...proof.right] }, root);
  return slice;
}

function verifySingles(
  origin: string,
  head: ProvenHead,
  materials: Materials,
  checklist: Checklist,
): readonly ProvenEntry[] {
  const singles: ProvenEntry[] = [];
  for (const member of materials.list(memberTypes.deviceEntry)) {
    const single = parseDeviceEntry(member.bytes);
    if (single.origin !== origin) continue;
    const { index, size, bytes, proof } = single;
    const proven = checklist.attempt(
      name.entry,
      `${origin} #${index}`,
      () => {
        if (size !== head.leaf.mirroredSize) throw broken(`the proof is for size ${size}, not for the mirrored head`);
        const leaf = hashLeaf(bytes);
        verifyInclusion(index, size, leaf, [...proof], head.leaf.mirroredRoot);
        materials.use(member);
        return { index, entry: decodeEntry(bytes), leaf };
      },
      ({ entry }) => `${entry.kind}, included under size ${size}`,
    );
    if (proven !== undefined) singles.push(proven);
  }
  return singles;
}

interface TreeHead {
  readonly size: number;
  readonly root: RootHash;
}

const pending = (leaf: ProvenHead["leaf"]): TreeHead => ({ size: leaf.pendingSize, root: leaf.pendingRoot });
const mirrored = (leaf: ProvenHead["leaf"]): TreeHead => ({ size: leaf.mirroredSize, root: leaf.mirroredRoot });

function requireConsistent(origin: string, a: TreeHead, b: TreeHead, materials: Materials): true {
  const [smaller, larger] = a.size <= b.size ? [a, b] : [b, a];
  if (smaller.size === larger.size) {
    if (!equalBytes(smaller.root, larger.root)) throw broken(`two roots for size ${smaller.size}`);
    return true;
  }
  if (smaller.size === 0) return true;
  for (const member of materials.list(memberTypes.consistency)) {
    const found = parseConsistency(member.bytes);
    if (found.origin !== origin || found.smaller !== smaller.size || found.larger !== larger.size) continue;
    materials.use(member);
    verifyConsistency(smaller.size, larger.size, smaller.root, larger.root, [...found.proof]);
    return true;
  }
  throw broken(`the bundle holds no consistency proof from size ${smaller.size} to ${larger.size}`);
}

function broken(what: string): EvidenceError {
  return new EvidenceError("proof-invalid", what);
}
