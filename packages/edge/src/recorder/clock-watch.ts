import type { Clock } from "@tally/ledger";

/**
 * A clock that differs by more than this from what it should say has been set: milliseconds. Clocks that are kept by NTP differ by
 * less, and what they are slowly moved by is no step.
 */
export const clockStepMs = 60_000;

/** How often the clock is compared with elapsed time though nothing looks odd, in milliseconds of its own. */
const compareEveryMs = 10_000;

/** By how much a clock was set, and whether that happened while the device was off. */
export interface ClockStep {
  /** Milliseconds; negative: back. */
  readonly stepMs: number;
  readonly whileOff: boolean;
}

/**
 * Notices when a device's clock is set, by comparing it with the time that has elapsed. While the device is off nothing tells
 * how long that was: then only a clock that went back is noticed. A machine that slept looks like one whose clock was set forward.
 */
export class ClockWatch {
  readonly #clock: Clock;
  #last: number | undefined;
  /** The clock less the elapsed time, when they were last compared. */
  #offset: number | undefined;
  #comparedAt: number;
  #pending: ClockStep | undefined;

  /** @param last what the clock said in the ledger's last entry */
  constructor(clock: Clock, last?: number) {
    this.#clock = clock;
    this.#last = last;
    this.#comparedAt = Number.NEGATIVE_INFINITY;
  }

  /** Looks at a reading of the clock; a step is given again until it was `told`. */
  look(now: number): ClockStep | undefined {
    const last = this.#last ?? now;
    this.#last = now;
    const moved = now - last;
    if (moved >= 0 && now - this.#comparedAt < compareEveryMs) return this.#pending;
    this.#compare(now, moved);
    return this.#pending;
  }

  get pending(): ClockStep | undefined {
    return this.#pending;
  }

  /** The step stands in the ledger. */
  told(): void {
    this.#pending = undefined;
  }

  #compare(now: number, moved: number): void {
    const elapsed = this.#clock.monotonic?.();
    const offset = elapsed === undefined ? undefined : now - elapsed;
    const whileOff = this.#comparedAt === Number.NEGATIVE_INFINITY;
    this.#comparedAt = now;
    const known = this.#offset;
    this.#offset = offset;
    // Without elapsed time to compare with, a pause cannot be told from a step forward.
    const stepMs = offset === undefined || known === undefined ? Math.min(0, moved) : offset - known;
    if (Math.abs(stepMs) <= clockStepMs) return;
    const before = this.#pending?.stepMs ?? 0;
    this.#pending = { stepMs: Math.round(before + stepMs), whileOff };
  }
}
