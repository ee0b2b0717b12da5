import type { IntervalQuestion, RecordsQuestion } from "../bundle/index.ts";
import type { Checklist } from "./check.ts";
import type { DeviceLedger } from "./device-ledger.ts";
import type { ProvenHead } from "./heads.ts";
import type { Bracket, Timeline } from "./time-bracket.ts";

/**
 * Where a record stands to the question's interval. `inside`: its bracket lies within. `possibly inside`: the bracket
 * straddles a bound. `key revoked`: it may be of the interval, but nothing proves that it is older than the compromise
 * of the key that signed it.
 */
export type RecordStanding = "inside" | "possibly inside" | "key revoked";

const name = { start: "interval start", end: "interval end", delivered: "delivered" };

/** The largest size proven not after the interval's start: nothing before it can be of the interval. */
export function intervalStart(question: Pick<IntervalQuestion, "from">, { heads }: Pick<Timeline, "heads">): number {
  return heads.reduce((size, head) => (head.notAfter <= question.from ? Math.max(size, head.size) : size), 0);
}

/** Checks that the slice holds all entries that may be of the interval (evidence.md 4), or says which are left out. */
export function checkBounds(
  question: RecordsQuestion,
  ledger: DeviceLedger,
  timeline: Timeline,
  checklist: Checklist,
): boolean {
  const { origin } = ledger.enrolment;
  const size = ledger.head.leaf.mirroredSize;
  const start = Math.min(intervalStart(question, timeline), size);
  if (ledger.from > start) {
    const left = `entries ${start} to ${ledger.from}`;
    checklist.missing(name.start, origin, `${left} may be of the interval and are left out`);
    return false;
  }
  const older = start === 0 ? "from the first entry on" : `its ${start} first entries are proven older`;
  checklist.good(name.start, origin, older);
  const closing = timeline.anchors.find(({ index, notBefore }) => index < ledger.to && notBefore >= question.to);
  if (ledger.to < size && closing === undefined) {
    const left = `entries ${ledger.to} to ${size}`;
    checklist.missing(name.end, origin, `${left} may be of the interval and are left out`);
    return false;
  }
  const younger =
    closing === undefined ? "to the mirrored head" : `what follows entry ${closing.index} is proven younger`;
  checklist.good(name.end, origin, younger);
  if (closing === undefined) checkDelivered(question, ledger.head, checklist);
  return true;
}

/**
 * Entries that a device has signed and the plane does not hold exist, and may be of the interval: missing material is not
 * proven. What a device has never told of is another matter, which the ledger's coverage says. Entry 0 is its enrolment.
 */
export function checkDelivered(question: IntervalQuestion, head: ProvenHead, checklist: Checklist): void {
  const { origin, pendingSize, mirroredSize } = head.leaf;
  if (mirroredSize === pendingSize || pendingSize <= 1) return;
  if (head.notAfter !== null && head.notAfter <= question.from) return;
  checklist.missing(
    name.delivered,
    origin,
    `it has signed entries ${mirroredSize} to ${pendingSize}, which the plane does not hold: ask the device to sync`,
  );
}

/** Where a record of that bracket stands; undefined for one that is proven to be outside. */
export function standingIn(
  question: RecordsQuestion,
  ledger: DeviceLedger,
  bracket: Bracket,
): RecordStanding | undefined {
  const { notBefore, notAfter } = bracket;
  if (notAfter !== null && notAfter < question.from) return undefined;
  if (notBefore !== null && notBefore >= question.to) return undefined;
  if (keyRevoked(ledger, bracket)) return "key revoked";
  const within = notBefore !== null && notAfter !== null && notBefore >= question.from && notAfter < question.to;
  return within ? "inside" : "possibly inside";
}

/** A signature by a revoked key holds only if its proven not-after precedes the compromise. */
export function keyRevoked(ledger: DeviceLedger, { notAfter }: Bracket): boolean {
  const { revoked } = ledger.enrolment;
  if (revoked === undefined) return false;
  return revoked.compromiseTime === null || notAfter === null || notAfter >= revoked.compromiseTime;
}
