import { asHash, type Digest, decodeEntry, digestFromHash } from "@tally/evidence";
import type { Clock, Mirror } from "@tally/ledger";
import type { BlobStore, Database } from "@tally/oci";
import type { Metrics } from "../operation/metrics.ts";

const dayMs = 86_400_000;
/** After a day, when the device has since brought entries and none names the blob. */
const graceMs = dayMs;
/** After this long in any case: the device brought nothing more. */
const longestMs = 90 * dayMs;
const everyMs = 3_600_000;

interface Row {
  readonly digest: Digest;
  readonly origin: string;
  readonly at: number;
  readonly from_idx: number;
}

export interface DeviceBlobsOptions {
  readonly db: Database;
  /** What devices brought, and nothing else: the plane's own blobs are never collected. */
  readonly blobs: BlobStore;
  readonly mirror: Pick<Mirror, "log">;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly onError: (error: unknown) => void;
}

/**
 * Blobs that devices brought for entries to name. Which entries name one is found by reading the device's ledger from where
 * it was when the blob came; one that none names is removed after a while.
 */
export class DeviceBlobs {
  readonly blobs: BlobStore;
  readonly #options: DeviceBlobsOptions;
  #timer: NodeJS.Timeout | undefined;
  #collecting: Promise<unknown> = Promise.resolve();

  constructor(options: DeviceBlobsOptions) {
    this.#options = options;
    this.blobs = options.blobs;
  }

  /** Notes that a device brings a blob; call it before the blob is stored. */
  async noted(origin: string, digest: Digest): Promise<void> {
    const { db, mirror, clock } = this.#options;
    await db.run(
      "INSERT INTO device_blob (digest, origin, at, from_idx, named) VALUES (?, ?, ?, ?, 0) ON CONFLICT (digest, origin) DO UPDATE SET at = excluded.at",
      [digest, origin, clock.now(), mirror.log(origin)?.nextEntry ?? 0],
    );
  }

  /** Collects once an hour until stopped. */
  start(): void {
    this.#timer = setInterval(() => void this.collect().catch(this.#options.onError), everyMs).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#collecting.catch(() => {});
  }

  /** Removes what no entry names. @returns how many blobs went */
  collect(): Promise<number> {
    const collecting = this.#collecting.catch(() => {}).then(() => this.#collect());
    this.#collecting = collecting;
    return collecting;
  }

  async #collect(): Promise<number> {
    const { db, clock, metrics } = this.#options;
    const old = await db.query<Row>(
      "SELECT digest, origin, at, from_idx FROM device_blob WHERE named = 0 AND at <= ? ORDER BY origin LIMIT 10000",
      [clock.now() - graceMs],
    );
    let removed = 0;
    for (const [origin, rows] of Map.groupBy(old, ({ origin }) => origin)) {
      const unnamed = await this.#unnamed(origin, rows);
      for (const row of unnamed) if (await this.#remove(row)) removed += 1;
    }
    metrics.blobsCollected(removed);
    return removed;
  }

  /** Those of the rows that the ledger does not name as far as it is here, and whose time has come. */
  async #unnamed(origin: string, rows: readonly Row[]): Promise<readonly Row[]> {
    const { db, mirror, clock } = this.#options;
    const log = mirror.log(origin);
    const end = log?.mirrored?.checkpoint.size ?? 0;
    const waiting = new Map(rows.map((row) => [row.digest, row]));
    const from = Math.min(...rows.map(({ from_idx }) => from_idx));
    if (log !== undefined && from < end) {
      for await (const bytes of log.entries(from, end)) {
        for (const digest of digestsIn(decodeEntry(bytes))) {
          if (waiting.delete(digest)) await this.#mark(origin, digest);
        }
        if (waiting.size === 0) break;
      }
    }
    const now = clock.now();
    const due = [...waiting.values()].filter((row) => row.from_idx < end || row.at <= now - longestMs);
    for (const { digest } of waiting.values()) {
      await db.run("UPDATE device_blob SET from_idx = ? WHERE digest = ? AND origin = ? AND from_idx < ?", [
        end,
        digest,
        origin,
        end,
      ]);
    }
    return due;
  }

  async #mark(origin: string, digest: Digest): Promise<void> {
    await this.#options.db.run("UPDATE device_blob SET named = 1 WHERE digest = ? AND origin = ?", [digest, origin]);
  }

  /** A blob that another device brought too stays as long as that one may name it. */
  async #remove({ digest, origin }: Row): Promise<boolean> {
    const { db, blobs } = this.#options;
    await db.run("DELETE FROM device_blob WHERE digest = ? AND origin = ? AND named = 0", [digest, origin]);
    const others = await db.query("SELECT 1 AS found FROM device_blob WHERE digest = ? LIMIT 1", [digest]);
    return others.length === 0 && (await blobs.delete(digest));
  }
}

/** Everything in an entry that could name a blob: digests as text, and 32 bytes. One too many keeps a blob, no more. */
function* digestsIn(value: unknown): Generator<Digest> {
  if (typeof value === "string") {
    if (value.startsWith("sha256:")) yield value as Digest;
  } else if (value instanceof Uint8Array) {
    if (value.length === 32) yield digestFromHash(asHash(value));
  } else if (Array.isArray(value)) {
    for (const one of value) yield* digestsIn(one);
  } else if (typeof value === "object" && value !== null) {
    for (const one of Object.values(value)) yield* digestsIn(one);
  }
}
