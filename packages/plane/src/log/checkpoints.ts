import {
  type Digest,
  digestOf,
  parseCheckpoint,
  quorumTimes,
  utf8,
  verifyNote,
  type WitnessPolicy,
} from "@tally/evidence";
import type { BlobStore, Database } from "@tally/oci";
import { signedTime } from "./signing-clock.ts";

export interface StoredCheckpoint {
  readonly size: number;
  readonly note: Digest;
  /** Milliseconds. With `quorum none`, the plane's own clock. */
  readonly notBefore: number | null;
  readonly notAfter: number | null;
}

const maxNoteBytes = 1_000_000;

/** Cosigned checkpoints of one of the plane's logs: complete notes as blobs, and when each is proven to have existed. */
export class Checkpoints {
  readonly #origin: string;
  readonly #db: Database;
  readonly #blobs: BlobStore;
  readonly #policy: WitnessPolicy;

  constructor(origin: string, db: Database, blobs: BlobStore, policy: WitnessPolicy) {
    this.#origin = origin;
    this.#db = db;
    this.#blobs = blobs;
    this.#policy = policy;
  }

  /** Keeps a complete note that met the quorum. Where no witnesses are asked for, its time is the one that the plane signed. */
  async keep(note: string, nowMs: number): Promise<StoredCheckpoint> {
    const bytes = utf8(note);
    await this.#blobs.put(digestOf(bytes), bytes);
    const { checkpoint, note: parsed } = parseCheckpoint(bytes);
    const keys = [...this.#policy.witnesses.values()].map(({ key }) => key);
    const none = this.#policy.quorum === "none";
    const times = none ? null : quorumTimes(this.#policy, verifyNote(parsed, keys));
    const second = signedTime(parsed) ?? Math.floor(nowMs / 1000);
    const notBefore = (times === null ? second : (times.notBefore ?? second)) * 1000;
    const notAfter = (times === null ? second : (times.notAfter ?? second)) * 1000 + 999;
    await this.#db.run(
      "INSERT INTO checkpoint (log, note, size, not_before, not_after) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
      [this.#origin, digestOf(bytes), checkpoint.size, notBefore, notAfter],
    );
    return { size: checkpoint.size, note: digestOf(bytes), notBefore, notAfter };
  }

  /** The newest, by size and then by time. */
  async newest(): Promise<StoredCheckpoint | undefined> {
    const [row] = await this.#select("ORDER BY size DESC, not_before DESC LIMIT 1", []);
    return row;
  }

  async ofSize(size: number): Promise<StoredCheckpoint | undefined> {
    const [row] = await this.#select("AND size = ? ORDER BY not_before LIMIT 1", [size]);
    return row;
  }

  /** The first that covers entry `index`. */
  async firstCovering(index: number): Promise<StoredCheckpoint | undefined> {
    const [row] = await this.#select("AND size > ? ORDER BY size, not_after LIMIT 1", [index]);
    return row;
  }

  /** The last that does not cover entry `index`. */
  async lastBelow(index: number): Promise<StoredCheckpoint | undefined> {
    const [row] = await this.#select("AND size <= ? ORDER BY size DESC, not_before DESC LIMIT 1", [index]);
    return row;
  }

  /** The last that is proven to be no younger than that time, in milliseconds. */
  async lastNotAfter(time: number): Promise<StoredCheckpoint | undefined> {
    const [row] = await this.#select("AND not_after <= ? ORDER BY not_after DESC, size DESC LIMIT 1", [time]);
    return row;
  }

  async byNote(note: Digest): Promise<StoredCheckpoint | undefined> {
    const [row] = await this.#select("AND note = ?", [note]);
    return row;
  }

  bytes(note: Digest): Promise<Uint8Array> {
    return this.#blobs.bytes(note, maxNoteBytes);
  }

  async #select(rest: string, params: readonly (string | number)[]): Promise<StoredCheckpoint[]> {
    const rows = await this.#db.query<{ size: number; note: Digest; not_before: number; not_after: number }>(
      `SELECT size, note, not_before, not_after FROM checkpoint WHERE log = ? ${rest}`,
      [this.#origin, ...params],
    );
    return rows.map(({ size, note, not_before, not_after }) => ({
      size,
      note,
      notBefore: not_before,
      notAfter: not_after,
    }));
  }
}
