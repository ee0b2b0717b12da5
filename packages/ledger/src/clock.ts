/** Where time comes from, so that years can pass in a test. */
export interface Clock {
  /** Milliseconds since the POSIX epoch. */
  now(): number;
}

/** The machine's own clock. */
export const systemClock: Clock = Object.freeze({ now: () => Date.now() });
