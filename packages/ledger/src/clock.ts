/** Where time comes from, so that years can pass in a test. */
export interface Clock {
  /** Milliseconds since the POSIX epoch. */
  now(): number;
  /**
   * Milliseconds that have passed since some moment, whatever `now` is set to. Where it is missing, only a clock that goes back is
   * noticed (see docs/entries.cddl, `clock-step`).
   */
  monotonic?(): number;
}

/** The machine's own clock. */
export const systemClock: Clock = Object.freeze({ now: () => Date.now(), monotonic: () => performance.now() });
