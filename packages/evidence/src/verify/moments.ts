/** ECMA-262, 21.4.1.1: the last moment that a Date can hold, in milliseconds. */
export const lastMoment = 8.64e15;

/** A moment as a reason shows it. What no date can be is shown as the number it is. */
export function showMoment(ms: number): string {
  return Math.abs(ms) <= lastMoment ? new Date(ms).toISOString() : `${ms} ms`;
}

interface Point {
  readonly at: number;
  /** Milliseconds. */
  readonly time: number;
}

/** Of points in a log, the earliest time at or above a place: what existed in a larger tree existed in time for it. */
export class EarliestFrom {
  readonly #points: readonly Point[];

  constructor(points: Iterable<Point>) {
    const sorted = [...points].sort((a, b) => b.at - a.at);
    let least = Number.POSITIVE_INFINITY;
    this.#points = sorted
      .map(({ at, time }) => {
        least = Math.min(least, time);
        return { at, time: least };
      })
      .reverse();
  }

  /** Milliseconds; null where no point is at `place` or above. */
  at(place: number): number | null {
    return this.#points[firstWhere(this.#points, (point) => point.at >= place)]?.time ?? null;
  }
}

/** Of points in a log, the latest time below a place: what comes after all of them was made no earlier. */
export class LatestBelow {
  readonly #points: readonly Point[];

  constructor(points: Iterable<Point>) {
    let most = Number.NEGATIVE_INFINITY;
    this.#points = [...points]
      .sort((a, b) => a.at - b.at)
      .map(({ at, time }) => {
        most = Math.max(most, time);
        return { at, time: most };
      });
  }

  /** Milliseconds; null where no point is below `place`. */
  at(place: number): number | null {
    return this.#points[firstWhere(this.#points, (point) => point.at >= place) - 1]?.time ?? null;
  }
}

/** Index of the first point of a sorted list for which `holds`; the list's length if there is none. */
function firstWhere(points: readonly Point[], holds: (point: Point) => boolean): number {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(points[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}
