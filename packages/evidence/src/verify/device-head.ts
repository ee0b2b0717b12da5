import { memberTypes } from "../bundle/index.ts";
import { equalBytes } from "../bytes.ts";
import { digestFromHash, type RootHash } from "../digest.ts";
import type { HeadLeaf } from "../entries/index.ts";
import { EvidenceError } from "../error.ts";
import { verifyConsistency } from "../merkle/index.ts";
import { parseCheckpoint, verifyAllOf } from "../note/index.ts";
import type { Trust } from "../trust/index.ts";
import { type Checklist, Missing } from "./check.ts";
import { requireDeviceAlgorithms } from "./device-algorithms.ts";
import { type Enrolment, keySetAt } from "./fleet-entries.ts";
import type { ProvenHead } from "./heads.ts";
import { handoversOf } from "./key-handover.ts";
import type { Materials } from "./materials.ts";

const name = { head: "device checkpoint", handover: "key rotation", older: "earlier head consistent" };

/** Checks a ledger's head: signed with all keys that its enrolment asks for, at least as long as what was mirrored. */
export function verifyHead(
  head: ProvenHead,
  enrolment: Enrolment,
  materials: Materials,
  checklist: Checklist,
  trust?: Trust,
): boolean {
  const { leaf } = head;
  const about = leaf.origin;
  if (leaf.pendingNoteHash === null) return false;
  const member = materials.find(memberTypes.deviceCheckpoint, digestFromHash(leaf.pendingNoteHash));
  if (member === undefined) {
    checklist.missing(name.head, about, "the bundle does not hold the checkpoint that the heads leaf names");
    return false;
  }
  const keys = checklist.attempt(
    name.head,
    about,
    () => {
      materials.use(member);
      checkNote(member.bytes, leaf, enrolment);
      if (trust !== undefined) requireDeviceAlgorithms(about, keySetAt(enrolment, leaf.pendingSize), trust);
      checkMirrored(leaf, enrolment, materials);
      return keySetAt(enrolment, leaf.pendingSize).length;
    },
    (count) => `size ${leaf.pendingSize}, signed with all ${count} keys of the device`,
  );
  return keys !== undefined && checkHandovers(leaf, enrolment, materials, checklist);
}

/** The note is the device's own, and of the head that the leaf names. */
function checkNote(bytes: Uint8Array, leaf: HeadLeaf, enrolment: Enrolment): void {
  const { note, checkpoint } = parseCheckpoint(bytes);
  verifyAllOf(note, leaf.origin, keySetAt(enrolment, checkpoint.size));
  if (checkpoint.size !== leaf.pendingSize || !equalBytes(checkpoint.root, leaf.pendingRoot)) {
    throw broken("the checkpoint is not of the head that the plane's log committed to");
  }
}

/** Entries are proven under the mirrored head, so the device must have signed that one, too. */
function checkMirrored(leaf: HeadLeaf, enrolment: Enrolment, materials: Materials): void {
  const { origin, mirroredSize: size, mirroredRoot: root } = leaf;
  if (size === 0) return;
  if (size === leaf.pendingSize) {
    if (equalBytes(root, leaf.pendingRoot)) return;
    throw broken(`the plane names another root for size ${size} than the device has signed`);
  }
  for (const member of materials.of(memberTypes.deviceCheckpoint, origin)) {
    if (member.place.index !== size) continue;
    const { note, checkpoint } = parseCheckpoint(member.bytes);
    materials.use(member);
    verifyAllOf(note, origin, keySetAt(enrolment, size));
    if (equalBytes(checkpoint.root, root)) return;
    throw broken("the device has signed another root for the mirrored size");
  }
  throw new Missing(`the bundle holds no checkpoint of the mirrored size ${size}`);
}

/** New keys count where the old ones have handed over to them; the plane alone cannot give a device other keys. */
function checkHandovers(leaf: HeadLeaf, enrolment: Enrolment, materials: Materials, checklist: Checklist): boolean {
  for (const handover of handoversOf(enrolment, leaf.pendingSize, materials)) {
    const about = `${enrolment.origin} at size ${handover.size}`;
    if (handover.member === undefined) {
      checklist.missing(
        name.handover,
        about,
        "no checkpoint of that size is signed with the old keys and the new ones",
      );
      return false;
    }
    const { member, size } = handover;
    const held = checklist.attempt(
      name.handover,
      about,
      () => {
        materials.use(member);
        const { root } = parseCheckpoint(member.bytes).checkpoint;
        return requireConsistent(leaf.origin, { size, root }, mirrored(leaf), materials);
      },
      () => "the old keys signed together with the new ones",
    );
    if (held === undefined) return false;
  }
  return true;
}

/**
 * Checks that an earlier head of the ledger is of the same history as its mirrored head. Where the ledger's keys are
 * revoked since, the signature counts by its own time: the earlier head's note has to be here.
 */
export function verifyEarlierHead(
  earlier: ProvenHead,
  newest: ProvenHead,
  enrolment: Enrolment,
  materials: Materials,
  checklist: Checklist,
): boolean {
  const { origin } = newest.leaf;
  const note = earlier.leaf.pendingNoteHash && digestFromHash(earlier.leaf.pendingNoteHash);
  const member = note === null ? undefined : materials.find(memberTypes.deviceCheckpoint, note);
  if (enrolment.revoked !== undefined && member === undefined) {
    checklist.skipped(
      name.older,
      origin,
      `without the note of its head of size ${earlier.leaf.pendingSize} that head is no evidence for revoked keys`,
    );
    return false;
  }
  const held = checklist.attempt(
    name.older,
    origin,
    () => {
      checkNotBack("signed", earlier.leaf.pendingSize, newest.leaf.pendingSize);
      checkNotBack("mirrored", earlier.leaf.mirroredSize, newest.leaf.mirroredSize);
      if (enrolment.revoked !== undefined && member !== undefined) {
        materials.use(member);
        checkNote(member.bytes, earlier.leaf, enrolment);
      }
      return requireConsistent(origin, pending(earlier.leaf), mirrored(newest.leaf), materials);
    },
    () => `its head of size ${earlier.leaf.pendingSize} is the beginning of the mirrored ledger`,
  );
  return held === true;
}

function checkNotBack(what: string, before: number, now: number): void {
  if (now < before) throw broken(`the plane had ${before} of its entries ${what}, and says that it has ${now} of them`);
}

interface TreeHead {
  readonly size: number;
  readonly root: RootHash;
}

const pending = (leaf: HeadLeaf): TreeHead => ({ size: leaf.pendingSize, root: leaf.pendingRoot });
const mirrored = (leaf: HeadLeaf): TreeHead => ({ size: leaf.mirroredSize, root: leaf.mirroredRoot });

function requireConsistent(origin: string, a: TreeHead, b: TreeHead, materials: Materials): true {
  const [smaller, larger] = a.size <= b.size ? [a, b] : [b, a];
  if (smaller.size === larger.size) {
    if (!equalBytes(smaller.root, larger.root)) throw broken(`two roots for size ${smaller.size}`);
    return true;
  }
  if (smaller.size === 0) return true;
  const found = materials.consistency(origin, smaller.size, larger.size);
  if (found === undefined) {
    throw new Missing(`the bundle holds no consistency proof from size ${smaller.size} to ${larger.size}`);
  }
  materials.use(found.member);
  verifyConsistency(smaller.size, larger.size, smaller.root, larger.root, found.proof);
  return true;
}

function broken(what: string): EvidenceError {
  return new EvidenceError("proof-invalid", what);
}
