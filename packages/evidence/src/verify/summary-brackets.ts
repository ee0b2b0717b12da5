import type { IntervalQuestion } from "../bundle/index.ts";
import type { Timeline } from "./time-bracket.ts";

/** [start, end): no entry outside of it can be of the interval. */
export interface Bounds {
  readonly start: number;
  readonly end: number;
}

/** How narrow a ledger's times are, in milliseconds, as far as the bundle shows: with more heads and anchors they only narrow. */
export interface BracketWidths {
  /**
   * Between the last head proven older than the interval and the first anchor proven to be of it: what was recorded in
   * between is only possibly inside. 0 where the ledger began within the interval; null where no anchor closes it.
   */
  readonly atStart: number | null;
  /** The same at the interval's end; null where nothing younger than the interval has been delivered. */
  readonly atEnd: number | null;
  /** The median of the brackets of the records before each anchor shown within the interval; null where none has one. */
  readonly median: number | null;
  /** How many brackets it is the median of. */
  readonly of: number;
}

export function bracketWidths(
  { from, to }: Pick<IntervalQuestion, "from" | "to">,
  timeline: Timeline,
  { start, end }: Bounds,
): BracketWidths {
  const { anchors, heads } = timeline;
  const latestHead = (before: (notAfter: number) => boolean): number | null =>
    heads.reduce<number | null>(
      (latest, { notAfter }) => (before(notAfter) && (latest === null || notAfter > latest) ? notAfter : latest),
      null,
    );
  const opening = anchors.find(({ notBefore }) => notBefore >= from);
  const closing = anchors.find(({ notBefore }) => notBefore >= to);
  const widths = anchors
    .filter(({ index }) => index > start && index <= end && index > 0)
    .flatMap(({ index }) => width(timeline, index - 1))
    .sort((a, b) => a - b);
  return {
    atStart:
      opening?.index === 0
        ? 0
        : distance(
            latestHead((time) => time <= from),
            opening?.notBefore,
          ),
    atEnd: distance(
      latestHead((time) => time < to),
      closing?.notBefore,
    ),
    median: widths[Math.floor((widths.length - 1) / 2)] ?? null,
    of: widths.length,
  };
}

function width(timeline: Timeline, index: number): readonly number[] {
  const { notBefore, notAfter } = timeline.bracket(index);
  return notBefore === null || notAfter === null ? [] : [Math.max(0, notAfter - notBefore)];
}

function distance(earlier: number | null, later: number | undefined): number | null {
  return earlier === null || later === undefined ? null : Math.max(0, later - earlier);
}
