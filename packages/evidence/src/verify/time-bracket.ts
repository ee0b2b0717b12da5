import { equalBytes } from "../bytes.ts";
import { digestFromHash } from "../digest.ts";
import type { CheckpointReference, Entry } from "../entries/index.ts";
import type { Checklist } from "./check.ts";
import type { DeviceLedger } from "./device-ledger.ts";
import type { ProvenHead } from "./heads.ts";
import { EarliestFrom, LatestBelow } from "./moments.ts";
import type { PlaneLog } from "./plane-log.ts";

/** When something happened, by what others signed; no device clock is in it. Milliseconds; null is unbounded. */
export interface Bracket {
  readonly notBefore: number | null;
  readonly notAfter: number | null;
}

/** An anchor, or the genesis entry, with the time that the checkpoint it names proves. */
export interface TimedAnchor {
  readonly index: number;
  readonly notBefore: number;
}

export interface TimedHead {
  readonly size: number;
  readonly notAfter: number;
}

/** Brackets of one ledger's entries (evidence.md 4). */
export interface Timeline {
  /** In order of their index. */
  readonly anchors: readonly TimedAnchor[];
  /** The ledger's heads in order of their size, with the time by which each existed. */
  readonly heads: readonly TimedHead[];
  bracket(index: number): Bracket;
}

const name = { anchor: "anchors", order: "time order" };

/** The heads that a time is proven for, in order of their size. */
export function timedHeads(history: readonly ProvenHead[]): readonly TimedHead[] {
  return history
    .flatMap(({ notAfter, leaf }) => (notAfter === null ? [] : [{ size: leaf.pendingSize, notAfter }]))
    .sort((a, b) => a.size - b.size);
}

/** Reads a ledger's anchors, and checks that no bracket is inside out. */
export function timelineOf(
  ledger: DeviceLedger,
  heads: readonly TimedHead[],
  log: PlaneLog,
  skewMs: number,
  checklist: Checklist,
): Timeline {
  const anchors = timedAnchors(ledger, log, checklist);
  const latest = new LatestBelow(anchors.map(({ index, notBefore }) => ({ at: index, time: notBefore })));
  const earliest = new EarliestFrom(heads.map(({ size, notAfter }) => ({ at: size, time: notAfter })));
  const bracket = (index: number): Bracket => ({ notBefore: latest.at(index), notAfter: earliest.at(index + 1) });
  const timeline: Timeline = { anchors, heads, bracket };
  checkOrder(ledger.enrolment.origin, timeline, skewMs, checklist);
  return timeline;
}

function timedAnchors(ledger: DeviceLedger, log: PlaneLog, checklist: Checklist): readonly TimedAnchor[] {
  const { origin } = ledger.enrolment;
  const anchors: TimedAnchor[] = [];
  let unproven = 0;
  for (const { index, entry } of ledger.entries.values()) {
    const reference = anchorOf(entry);
    if (reference === undefined) continue;
    const found = log.byNote.get(digestFromHash(reference.noteHash));
    if (found !== undefined && !names(reference, found.checkpoint)) {
      checklist.bad(
        name.anchor,
        origin,
        `entry ${index} names a note of size ${found.checkpoint.size} and other values`,
      );
    } else if (found === undefined || found.notBefore === null) unproven += 1;
    else anchors.push({ index, notBefore: found.notBefore });
  }
  if (unproven > 0) {
    const what = `${unproven} anchors name checkpoints that the bundle leaves out`;
    checklist.skipped(name.anchor, origin, `${what}: brackets are wider`);
  }
  return anchors.sort((a, b) => a.index - b.index);
}

function anchorOf(entry: Entry): CheckpointReference | undefined {
  if (entry.kind === "anchor") return entry;
  return entry.kind === "genesis" ? entry.anchor : undefined;
}

function names(reference: CheckpointReference, checkpoint: Pick<CheckpointReference, "size" | "root">): boolean {
  return reference.size === checkpoint.size && equalBytes(reference.root, checkpoint.root);
}

/** An anchor holds its note, so a head that covers the anchor is no older than that note. */
function checkOrder(origin: string, timeline: Timeline, skewMs: number, checklist: Checklist): void {
  for (const { index, notBefore } of timeline.anchors) {
    const { notAfter } = timeline.bracket(index);
    if (notAfter !== null && notBefore > notAfter + skewMs) {
      checklist.bad(
        name.order,
        origin,
        `a head covered the anchor at entry ${index} before its checkpoint was cosigned`,
      );
      return;
    }
  }
  const { anchors, heads } = timeline;
  checklist.good(name.order, origin, `${anchors.length} anchors and ${heads.length} heads agree on the order`);
}
