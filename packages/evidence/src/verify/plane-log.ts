import { type BundleMember, memberTypes, parsePlaneEntry } from "../bundle/index.ts";
import { equalBytes } from "../bytes.ts";
import type { Digest } from "../digest.ts";
import { decodeEntry, type Entry } from "../entries/index.ts";
import { hashLeaf, verifyConsistency, verifyInclusion } from "../merkle/index.ts";
import type { Trust } from "../trust/index.ts";
import type { Checklist } from "./check.ts";
import type { Materials } from "./materials.ts";
import { EarliestFrom, LatestBelow } from "./moments.ts";
import { type PlaneCheckpoint, verifyPlaneCheckpoint } from "./plane-checkpoint.ts";

/** One entry proven to be in the plane's log. */
export interface PlaneEntry {
  readonly index: number;
  readonly entry: Entry;
  readonly member: BundleMember;
  /** Milliseconds; null as in `PlaneCheckpoint`: it was logged after a checkpoint of that time … */
  readonly notBefore: number | null;
  /** … and was there by a checkpoint of this one. */
  readonly notAfter: number | null;
  /** The same by ML-DSA signatures alone. */
  readonly postQuantumNotAfter: number | null;
}

/** What is proven of the plane's log: mutually consistent checkpoints, and entries under them. */
export interface PlaneLog {
  readonly newest: PlaneCheckpoint;
  readonly byNote: ReadonlyMap<Digest, PlaneCheckpoint>;
  readonly entries: ReadonlyMap<number, PlaneEntry>;
  /** The earliest time by which an entry of that index was in the log, in milliseconds. */
  notAfter(index: number): number | null;
}

const name = { checkpoint: "plane checkpoint", consistent: "plane consistency", entry: "plane entry" };

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
  const times = new EarliestFrom(
    checkpoints.flatMap(({ checkpoint, notAfter }) =>
      notAfter === null ? [] : [{ at: checkpoint.size, time: notAfter }],
    ),
  );
  const notAfter = (index: number): number | null => times.at(index + 1);
  const earlier = new LatestBelow(
    checkpoints.flatMap(({ checkpoint, notBefore }) =>
      notBefore === null ? [] : [{ at: checkpoint.size, time: notBefore }],
    ),
  );
  const notBefore = (index: number): number | null => earlier.at(index + 1);
  const ofMlDsa = new EarliestFrom(
    checkpoints.flatMap(({ checkpoint, postQuantumNotAfter: time }) =>
      time === null ? [] : [{ at: checkpoint.size, time }],
    ),
  );
  const postQuantum = (index: number): number | null => ofMlDsa.at(index + 1);
  return {
    newest,
    byNote: new Map(checkpoints.map((checkpoint) => [checkpoint.note, checkpoint])),
    entries: verifyEntries(materials, checkpoints, { notBefore, notAfter, postQuantum }, checklist),
    notAfter,
  };
}

/** All checkpoints are of one log and sorted by size: each continues the one before it, so all are of one history. */
function checkHistory(checkpoints: readonly PlaneCheckpoint[], materials: Materials, checklist: Checklist): boolean {
  let whole = true;
  for (const [i, { checkpoint: later }] of checkpoints.entries()) {
    const before = checkpoints[i - 1]?.checkpoint;
    if (before === undefined) continue;
    const about = `sizes ${before.size} and ${later.size}`;
    if (before.size === later.size) {
      if (equalBytes(before.root, later.root)) continue;
      checklist.bad(name.consistent, about, "the plane signed two roots for one size: it showed two histories");
      whole = false;
      continue;
    }
    if (before.size === 0) continue;
    const found = materials.consistency(later.origin, before.size, later.size);
    if (found === undefined) {
      checklist.missing(name.consistent, about, "the bundle holds no consistency proof between the two checkpoints");
      whole = false;
      continue;
    }
    materials.use(found.member);
    const held = checklist.attempt(
      name.consistent,
      about,
      () => {
        verifyConsistency(before.size, later.size, before.root, later.root, found.proof);
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
  times: Record<"notBefore" | "notAfter" | "postQuantum", (index: number) => number | null>,
  checklist: Checklist,
): Map<number, PlaneEntry> {
  const entries = new Map<number, PlaneEntry>();
  const bySize = new Map(checkpoints.map(({ checkpoint }) => [checkpoint.size, checkpoint]));
  for (const member of materials.list(memberTypes.planeEntry)) {
    const { index, bytes, size, proof } = parsePlaneEntry(member.bytes);
    const about = `entry ${index} of the plane's log`;
    const under = bySize.get(size);
    if (under === undefined) {
      checklist.missing(name.entry, about, `the bundle holds no verified checkpoint of size ${size}`);
      continue;
    }
    checklist.attempt(
      name.entry,
      about,
      () => {
        verifyInclusion(index, size, hashLeaf(bytes), proof, under.root);
        const entry = decodeEntry(bytes);
        const postQuantumNotAfter = times.postQuantum(index);
        const [notBefore, notAfter] = [times.notBefore(index), times.notAfter(index)];
        entries.set(index, { index, entry, member, notBefore, notAfter, postQuantumNotAfter });
        return entry;
      },
      (entry) => `${entry.kind}, included under size ${size}`,
    );
  }
  return entries;
}
