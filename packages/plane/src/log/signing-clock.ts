import { parseCheckpoint, type SignedNote, utf8 } from "@tally/evidence";
import type { Clock } from "@tally/ledger";

/** Of a type-06 signature in a note: u64 time in POSIX seconds ‖ ML-DSA-44 signature. */
const timedSignatureBytes = 8 + 2420;

/**
 * The time that the plane signs with. A checkpoint that includes another is the later one, so this never goes back, whatever
 * the machine's clock does and over restarts: evidence that contradicted itself in time would prove nothing any more.
 */
export class SigningClock implements Clock {
  readonly #clock: Clock;
  #latest = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    this.#latest = Math.max(this.#latest, this.#clock.now());
    return this.#latest;
  }

  /** Not before what this note of ours says. */
  follow(note: string | undefined): void {
    const seconds = note === undefined ? null : signedTime(parseCheckpoint(utf8(note)).note);
    this.#latest = Math.max(this.#latest, (seconds ?? 0) * 1000);
  }
}

/** POSIX seconds that a log's own type-06 signature states; null where it has none. */
export function signedTime({ text, signatures }: SignedNote): number | null {
  const [origin] = text.split("\n", 1);
  const own = signatures.find(({ name, signature }) => name === origin && signature.length === timedSignatureBytes);
  return own === undefined ? null : Number(Buffer.from(own.signature.subarray(0, 8)).readBigUInt64BE());
}
