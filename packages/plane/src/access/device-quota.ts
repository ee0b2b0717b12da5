import type { Clock } from "@tally/ledger";

const dayMs = 86_400_000;

/**
 * What devices may store in a day, beside their ledgers: a device that was taken over does not fill the disk that the logs
 * are on. Counted in memory: a restart begins the day anew.
 */
export class DeviceQuota {
  readonly #bytesPerDay: number;
  readonly #clock: Clock;
  readonly #taken = new Map<string, number>();
  #day = 0;

  constructor(bytesPerDay: number, clock: Clock) {
    this.#bytesPerDay = bytesPerDay;
    this.#clock = clock;
  }

  /** Whether `bytes` more are within what this ledger's device may store today; if so, they are counted. */
  take(origin: string, bytes: number): boolean {
    const day = Math.floor(this.#clock.now() / dayMs);
    if (day > this.#day) {
      this.#day = day;
      this.#taken.clear();
    }
    const sum = (this.#taken.get(origin) ?? 0) + bytes;
    if (!(bytes >= 0 && sum <= this.#bytesPerDay)) return false;
    this.#taken.set(origin, sum);
    return true;
  }
}
