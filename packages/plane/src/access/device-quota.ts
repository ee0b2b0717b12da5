import type { Clock } from "@tally/ledger";
import type { Database } from "@tally/oci";

const dayMs = 86_400_000;

/**
 * What devices may store in a day, beside their ledgers: a device that was taken over does not fill the disk that the logs
 * are on. Counted in memory and written down behind it, so that a restart does not begin the day anew.
 */
export class DeviceQuota {
  readonly #bytesPerDay: number;
  readonly #clock: Clock;
  readonly #db: Database;
  readonly #taken = new Map<string, number>();
  readonly #unwritten = new Set<string>();
  #writing: Promise<void> | undefined;
  #day: number;

  private constructor(bytesPerDay: number, clock: Clock, db: Database) {
    this.#bytesPerDay = bytesPerDay;
    this.#clock = clock;
    this.#db = db;
    this.#day = dayOf(clock);
  }

  /** With what was taken today already. */
  static async open(bytesPerDay: number, clock: Clock, db: Database): Promise<DeviceQuota> {
    const quota = new DeviceQuota(bytesPerDay, clock, db);
    const rows = await db.query<{ origin: string; bytes: number }>(
      "SELECT origin, bytes FROM device_quota WHERE day = ?",
      [quota.#day],
    );
    for (const { origin, bytes } of rows) quota.#taken.set(origin, bytes);
    return quota;
  }

  /** Whether `bytes` more are within what this ledger's device may store today; if so, they are counted. */
  take(origin: string, bytes: number): boolean {
    const day = dayOf(this.#clock);
    if (day > this.#day) {
      this.#day = day;
      this.#taken.clear();
      this.#unwritten.clear();
    }
    const sum = (this.#taken.get(origin) ?? 0) + bytes;
    if (!(bytes >= 0 && sum <= this.#bytesPerDay)) return false;
    this.#taken.set(origin, sum);
    this.#unwritten.add(origin);
    // What a kill between two writes costs is what came in between.
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
    return true;
  }

  /** Waits until what was counted is written. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#unwritten.size > 0) {
      const [day, origins] = [this.#day, [...this.#unwritten]];
      this.#unwritten.clear();
      await this.#db
        .transaction(async (tx) => {
          await tx.run("DELETE FROM device_quota WHERE day < ?", [day]);
          for (const origin of origins) {
            await tx.run(
              "INSERT INTO device_quota (origin, day, bytes) VALUES (?, ?, ?) ON CONFLICT (origin) DO UPDATE SET day = excluded.day, bytes = excluded.bytes",
              [origin, day, this.#taken.get(origin) ?? 0],
            );
          }
        })
        // A full disk refuses the blobs themselves; the count stays in memory.
        .catch(() => {});
    }
  }
}

function dayOf(clock: Clock): number {
  return Math.floor(clock.now() / dayMs);
}
