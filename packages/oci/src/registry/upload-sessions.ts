import { randomUUID } from "node:crypto";
import type { BlobStore, StagedBlob } from "../storage/blob-store.ts";
import type { Database } from "../storage/database.ts";
import type { RegistryLimits } from "./options.ts";
import { Refusal } from "./refusal.ts";

/** Uploads in progress: whose they are and of which repository is in the database, their bytes are staged in the blob store. */
export class UploadSessions {
  readonly #db: Database;
  readonly #blobs: BlobStore;
  readonly #clock: { now(): number };
  readonly #limits: RegistryLimits;

  constructor(db: Database, blobs: BlobStore, clock: { now(): number }, limits: RegistryLimits) {
    this.#db = db;
    this.#blobs = blobs;
    this.#clock = clock;
    this.#limits = limits;
  }

  /**
   * Begins an upload of `owner` ("" where callers are not told apart) and resolves to its id. Refuses when too many are open, after
   * dropping those that expired.
   */
  async begin(repository: string, owner: string): Promise<string> {
    await this.expire();
    const id = randomUUID();
    const { uploads, uploadsOfOne } = this.#limits;
    const tooMany = await this.#db.transaction(async (tx) => {
      const sql = "SELECT COUNT(*) AS n, COUNT(CASE WHEN owner = ? THEN 1 END) AS own FROM registry_upload";
      const [open] = await tx.query<{ n: number; own: number }>(sql, [owner]);
      if (open !== undefined && open.n >= uploads) return `${uploads} uploads are in progress already`;
      // One caller leaves room for the others.
      if (owner !== "" && open !== undefined && open.own >= uploadsOfOne)
        return `${uploadsOfOne} uploads of yours are in progress already`;
      const insert = "INSERT INTO registry_upload (id, repository, touched, owner) VALUES (?, ?, ?, ?)";
      await tx.run(insert, [id, repository, this.#clock.now(), owner]);
      return undefined;
    });
    if (tooMany === undefined) return id;
    throw new Refusal(429, "TOOMANYREQUESTS", tooMany, { headers: { "Retry-After": "60" } });
  }

  /** The bytes so far of an upload of this repository and owner; its age counts from now. Whose it is otherwise is not said. */
  async resume(repository: string, id: string, owner: string): Promise<StagedBlob> {
    const sql = "UPDATE registry_upload SET touched = ? WHERE id = ? AND repository = ? AND owner = ?";
    const { changes } = await this.#db.run(sql, [this.#clock.now(), id, repository, owner]);
    if (changes > 0) return this.#blobs.stage(id);
    throw new Refusal(
      404,
      "BLOB_UPLOAD_UNKNOWN",
      `${repository} has no upload ${id} in progress; it ended, was cancelled or expired`,
    );
  }

  /** Forgets an upload whose bytes became a blob. */
  async end(id: string): Promise<void> {
    await this.#db.run("DELETE FROM registry_upload WHERE id = ?", [id]);
  }

  /** Drops an upload with its bytes. */
  async cancel(id: string): Promise<void> {
    await (await this.#blobs.stage(id)).discard();
    await this.end(id);
  }

  /** Drops uploads that nobody went on with for too long. */
  async expire(): Promise<void> {
    const expired = await this.#db.query<{ id: string }>("SELECT id FROM registry_upload WHERE touched < ? LIMIT 100", [
      this.#clock.now() - this.#limits.uploadAge,
    ]);
    // One that is being written to at this moment stays until it falls silent.
    for (const { id } of expired) await this.cancel(id).catch(() => undefined);
  }

  /** Drops staged bytes that belong to no upload, left by a process that died between two steps. */
  async sweep(): Promise<void> {
    for await (const id of this.#blobs.staged()) {
      const known = await this.#db.query("SELECT id FROM registry_upload WHERE id = ?", [id]);
      if (known.length === 0) await (await this.#blobs.stage(id)).discard();
    }
  }
}
