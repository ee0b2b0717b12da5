import type { Readable } from "node:stream";
import type { Digest } from "@tally/evidence";
import type { BlobStore, ByteSource, Database } from "@tally/oci";
import { PlaneError } from "../error.ts";

/** The largest blob that is read whole: notes, envelopes, verdicts, conflicts. */
const maxWhole = 64 * 1024 * 1024;

/**
 * Blobs that entries name by digest: envelopes, notes, verdicts, evidence of conflicts, long lists. They lie in the same store as
 * the registry's; only those that came in this way are served by the API, whoever may pull what from the registry.
 */
export class EvidenceBlobs {
  readonly #store: BlobStore;
  readonly #db: Database;

  constructor(store: BlobStore, db: Database) {
    this.#store = store;
    this.#db = db;
  }

  /** Stores bytes, durable when it resolves. With a digest they must have it (OciError `digest-mismatch`). */
  async put(source: ByteSource, digest: Digest | null = null): Promise<{ digest: Digest; size: number }> {
    const stored = await this.#store.put(digest, source);
    const sql = "INSERT INTO evidence_blob (digest, size) VALUES (?, ?) ON CONFLICT DO NOTHING";
    await this.#db.run(sql, [stored.digest, stored.size]);
    return stored;
  }

  /** The whole blob, checked against its digest; undefined where it is not there. */
  async find(digest: Digest): Promise<Uint8Array | undefined> {
    return (await this.#has(digest)) ? this.#store.bytes(digest, maxWhole) : undefined;
  }

  /** @throws PlaneError `not-found` */
  async read(digest: Digest): Promise<Uint8Array> {
    const bytes = await this.find(digest);
    if (bytes === undefined) throw absent(digest);
    return bytes;
  }

  /** @throws PlaneError `not-found` */
  async stream(digest: Digest): Promise<{ size: number; stream: Readable }> {
    if (!(await this.#has(digest))) throw absent(digest);
    return this.#store.get(digest);
  }

  async #has(digest: Digest): Promise<boolean> {
    return (await this.#db.query("SELECT digest FROM evidence_blob WHERE digest = ?", [digest])).length > 0;
  }
}

function absent(digest: Digest): PlaneError {
  return new PlaneError("not-found", `there is no blob ${digest}`, {
    hint: "blobs of models are in the registry, under /v2/",
  });
}
