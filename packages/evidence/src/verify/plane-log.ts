import { type BundleMember, memberTypes, parseConsistency, parsePlaneEntry } from "../bundle/index.ts";
import { equalBytes, toHex } from "../bytes.ts";
import { asHash, type Digest, digestFromHash } from "../digest.ts";
import { decodeEntry, type Entry } from "../entries/index.ts";
import { hashLeaf, verifyConsistency, verifyInclusion } from "../merkle/index.ts";
import {
  type Checkpoint,
  type NoteKey,
  parseCheckpoint,
  quorumTimes,
  sameKey,
  type VerifiedSignature,
  verifyNote,
} from "../note/index.ts";
import type { Trust } from "../trust/index.ts";
import type { Checklist } from "./check.ts";
import type { Materials } from "./materials.ts";

/** A checkpoint of the plane's log that the trust file vouches for, and when it existed by its cosignatures. */
export interface PlaneCheckpoint {
  readonly checkpoint: Checkpoint;
  /** SHA-256 of the complete note. */
  readonly note: Digest;
  /** Milliseconds: the witnesses' quorum had seen it no earlier than … */
  readonly notBefore: number | null;
  /** … and no later than. Null where the trust file asks for no witnesses and the plane gave no time. */
  readonly notAfter: number | null;
  readonly label: "witnessed" | "plane-asserted";
}

/** One entry proven to be in the plane's log. */
export interface PlaneEntry {
  readonly index: number;
  readonly entry: Entry;
  readonly member: BundleMember;
  /** Milliseconds; null as in `PlaneCheckpoint`. */
  readonly notAfter: number | null;
}

/** What is proven of the plane's log: mutually consistent checkpoints, and entries under them. */
export interface PlaneLog {
  readonly newest: PlaneCheckpoint;
  readonly byNote: ReadonlyMap<Digest, PlaneCheckpoint>;
  readonly entries: ReadonlyMap<number, PlaneEntry>;
  /** The earliest time by which an entry of that index was in the log, in milliseconds. */
  notAfter(index: number): number | null;
}

const name = {
  checkpoint: "plane checkpoint",
  quorum: "witness quorum",
  consistent: "plane consistency",
  entry: "plane entry",
};

/** Checks the plane's checkpoints, that they are of one history, and the entries proven under them. */
export function verifyPlaneLog(materials: Materials, trust: Trust, checklist: Checklist): PlaneLog | undefined {
  const checkpoints = materials
    .list(memberTypes.planeCheckpoint)
    .map((member) => verifyPlaneCheckpoint(member, trust, materials, checklist))
    .filter((checkpoint) => checkpoint !== undefined);
  const newest = checkpoints.at(-1);
  if (newest === undefined) {
    checklist.missing(name.checkpoint, trust.plane.name, "the bundle holds no checkpoint of the plane that verifies");
    return undefined;
  }
  if (!checkHistory(checkpoints, materials, checklist)) return undefined;
  const notAfter = (index: number): number | null =>
    checkpoints
      .filter(({ checkpoint }) => checkpoint.size > index)
      .reduce<number | null>((least, { notAfter: time }) => earlier(least, time), null);
  return {
    newest,
    byNote: new Map(checkpoints.map((checkpoint) => [checkpoint.note, checkpoint])),
    entries: verifyEntries(materials, checkpoints, notAfter, checklist),
    notAfter,
  };
}

function verifyPlaneCheckpoint(
  member: BundleMember,
  trust: Trust,
  materials: Materials,
  checklist: Checklist,
): PlaneCheckpoint | undefined {
  materials.use(member);
  const about = `plane checkpoint at byte ${member.offset}`;
  const verified = checklist.attempt(
    name.checkpoint,
    about,
    () => openNote(member.bytes, trust.plane.log, trust),
    ({ checkpoint, signatures }) =>
      `${checkpoint.origin} of size ${checkpoint.size}, root ${toHex(checkpoint.root).slice(0, 16)}…, ${signatures.length} signatures hold`,
  );
  if (verified === undefined) return undefined;
  const { checkpoint, signatures } = verified;
  const cosignatures = signatures.filter(({ key }) => trust.policy.witnesses.size > 0 && isWitness(key, trust));
  const times = quorumTimes(trust.policy, cosignatures);
  if (times.notBefore === null || times.notAfter === null) {
    const own = ownTime(signatures, trust);
    if (trust.policy.quorum === "none") {
      checklist.skipped(name.quorum, about, "the trust file asks for no witnesses: times are the plane's word");
      return { checkpoint, note: noteDigest(member), notBefore: own, notAfter: last(own), label: "plane-asserted" };
    }
    checklist.bad(name.quorum, about, `its cosignatures do not meet the quorum that the trust file asks for`);
    return undefined;
  }
  checklist.good(
    name.quorum,
    about,
    `cosigned by ${new Set(cosignatures.map(({ key }) => key.name)).size} known witnesses, ${new Date(times.notBefore * 1000).toISOString()}`,
  );
  return {
    checkpoint,
    note: noteDigest(member),
    notBefore: times.notBefore * 1000,
    notAfter: last(times.notAfter * 1000),
    label: "witnessed",
  };
}

/**
 * Opens a checkpoint of one of the plane's logs: every key of the trust file must have signed, every other line must
 * be of a known witness or of nobody we know.
 */
export function openNote(
  bytes: Uint8Array,
  required: readonly NoteKey[],
  trust: Trust,
): { checkpoint: Checkpoint; signatures: readonly VerifiedSignature[] } {
  const { checkpoint, note } = parseCheckpoint(bytes);
  const witnesses = [...trust.policy.witnesses.values()].map(({ key }) => key);
  const signatures = verifyNote(note, [...required, ...witnesses]);
  for (const key of required) {
    if (key.name !== checkpoint.origin)
      throw new Error(`the checkpoint is of ${checkpoint.origin}, not of ${key.name}`);
    if (!signatures.some((signature) => sameKey(signature.key, key))) {
      throw new Error(`the signature of ${key.name} (type ${key.type}) that the trust file requires is missing`);
    }
  }
  for (const line of note.signatures) {
    if (!signatures.some(({ key }) => key.name === line.name && key.id === line.id)) {
      throw new Error(`it carries a line of ${line.name}, whose key the trust file does not know`);
    }
  }
  return { checkpoint, signatures };
}

function checkHistory(checkpoints: readonly PlaneCheckpoint[], materials: Materials, checklist: Checklist): boolean {
  let whole = true;
  for (const [i, later] of checkpoints.entries()) {
    const earlierOne = checkpoints[i - 1];
    if (earlierOne === undefined) continue;
    const about = `sizes ${earlierOne.checkpoint.size} and ${later.checkpoint.size}`;
    if (earlierOne.checkpoint.size === later.checkpoint.size) {
      if (equalBytes(earlierOne.checkpoint.root, later.checkpoint.root)) continue;
      checklist.bad(name.consistent, about, "the plane signed two roots for one size: it showed two histories");
      whole = false;
      continue;
    }
    if (earlierOne.checkpoint.size === 0) continue;
    const member = materials.list(memberTypes.consistency).find((candidate) => {
      const { origin, smaller, larger } = parseConsistency(candidate.bytes);
      return (
        origin === later.checkpoint.origin && smaller === earlierOne.checkpoint.size && larger === later.checkpoint.size
      );
    });
    if (member === undefined) {
      checklist.missing(name.consistent, about, "the bundle holds no consistency proof between the two checkpoints");
      whole = false;
      continue;
    }
    materials.use(member);
    const held = checklist.attempt(
      name.consistent,
      about,
      () => {
        const { smaller, larger, proof } = parseConsistency(member.bytes);
        verifyConsistency(smaller, larger, earlierOne.checkpoint.root, later.checkpoint.root, [...proof]);
        return true;
      },
      () => "the larger tree begins with the smaller one",
    );
    whole &&= held === true;
  }
  return whole;
}

function verifyEntries(
  materials: Materials,
  checkpoints: readonly PlaneCheckpoint[],
  notAfter: (index: number) => number | null,
  checklist: Checklist,
): Map<number, PlaneEntry> {
  const entries = new Map<number, PlaneEntry>();
  for (const member of materials.list(memberTypes.planeEntry)) {
    const { index, bytes, size, proof } = parsePlaneEntry(member.bytes);
    const about = `entry ${index} of the plane's log`;
    const under = checkpoints.find(({ checkpoint }) => checkpoint.size === size);
    if (under === undefined) {
      checklist.missing(name.entry, about, `the bundle holds no verified checkpoint of size ${size}`);
      continue;
    }
    checklist.attempt(
      name.entry,
      about,
      () => {
        verifyInclusion(index, size, hashLeaf(bytes), [...proof], under.checkpoint.root);
        const entry = decodeEntry(bytes);
        entries.set(index, { index, entry, member, notAfter: notAfter(index) });
        return entry;
      },
      (entry) => `${entry.kind}, included under size ${size}`,
    );
  }
  return entries;
}

function isWitness(key: NoteKey, trust: Trust): boolean {
  return [...trust.policy.witnesses.values()].some((witness) => sameKey(witness.key, key));
}

function ownTime(signatures: readonly VerifiedSignature[], trust: Trust): number | null {
  const times = signatures
    .filter(({ key, time }) => time !== null && time > 0 && trust.plane.log.some((own) => sameKey(own, key)))
    .map(({ time }) => time! * 1000);
  return times.length === 0 ? null : Math.min(...times);
}

// Cosignatures carry whole seconds: one made at 12:00:07.9 says 12:00:07, so what it proves to exist existed by …07.999.
function last<T extends number | null>(time: T): T {
  return (time === null ? null : time + 999) as T;
}

function earlier(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.min(a, b);
}

function noteDigest(member: BundleMember): Digest {
  return digestFromHash(asHash(member.digest));
}
