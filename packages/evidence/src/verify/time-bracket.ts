import { digestFromHash } from "../digest.ts";
import type { Checklist } from "./check.ts";
import type { DeviceLedger } from "./device-ledger.ts";
import type { ProvenHead } from "./heads.ts";
import type { PlaneLog } from "./plane-log.ts";

/** When something happened, by what others signed; no device clock is in it. Milliseconds; null is unbounded. */
export interface Bracket {
  readonly notBefore: number | null;
  readonly notAfter: number | null;
}

/** Brackets of one ledger's entries (evidence.md 4). */
export interface Timeline {
  /** Anchors in order of their index, with the time that each proves. */
  readonly anchors: readonly { readonly index: number; readonly notBefore: number }[];
  /** The ledger's heads in order of their size, with the time by which each existed. */
  readonly heads: readonly { readonly size: number; readonly notAfter: number }[];
  bracket(index: number): Bracket;
}

const name = { anchor: "anchors", order: "time order" };

/** Reads a ledger's anchors and heads, and checks that no bracket is inside out. */
export function timelineOf(
  ledger: DeviceLedger,
  history: readonly ProvenHead[],
  log: PlaneLog,
  skewMs: number,
  checklist: Checklist,
): Timeline {
  const origin = ledger.enrolment.origin;
  const anchors: { index: number; notBefore: number }[] = [];
  let unproven = 0;
  for (const { index, entry } of [...ledger.entries.values()].sort((a, b) => a.index - b.index)) {
    const reference = entry.kind === "anchor" ? entry : entry.kind === "genesis" ? entry.anchor : undefined;
    if (reference === undefined) continue;
    const checkpoint = log.byNote.get(digestFromHash(reference.noteHash));
    if (checkpoint === undefined || checkpoint.notBefore === null) unproven += 1;
    else anchors.push({ index, notBefore: checkpoint.notBefore });
  }
  if (unproven > 0) {
    checklist.skipped(
      name.anchor,
      origin,
      `${unproven} anchors name checkpoints that the bundle leaves out: brackets are wider`,
    );
  }
  const heads = history
    .filter(({ notAfter }) => notAfter !== null)
    .map(({ leaf, notAfter }) => ({ size: leaf.pendingSize, notAfter: notAfter! }));
  const timeline: Timeline = { anchors, heads, bracket: (index) => bracketOf(index, anchors, heads) };
  checkOrder(timeline, skewMs, origin, checklist);
  return timeline;
}

function bracketOf(index: number, anchors: Timeline["anchors"], heads: Timeline["heads"]): Bracket {
  let notBefore: number | null = null;
  for (const anchor of anchors) {
    if (anchor.index >= index) break;
    if (notBefore === null || anchor.notBefore > notBefore) notBefore = anchor.notBefore;
  }
  let notAfter: number | null = null;
  for (const head of heads) {
    if (head.size > index && (notAfter === null || head.notAfter < notAfter)) notAfter = head.notAfter;
  }
  return { notBefore, notAfter };
}

function checkOrder(timeline: Timeline, skewMs: number, origin: string, checklist: Checklist): void {
  for (const { index } of timeline.anchors) {
    const { notBefore, notAfter } = timeline.bracket(index + 1);
    if (notBefore !== null && notAfter !== null && notBefore > notAfter + skewMs) {
      checklist.bad(name.order, origin, `what follows entry ${index} would have happened before its anchor existed`);
      return;
    }
  }
  checklist.good(
    name.order,
    origin,
    `${timeline.anchors.length} anchors and ${timeline.heads.length} heads agree on the order`,
  );
}
