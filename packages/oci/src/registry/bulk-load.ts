import { type Manifest, parseManifest, partsOf, referrerDescriptor } from "../artifact/manifest.ts";
import { parseRepository } from "../artifact/reference.ts";
import { OciError } from "../error.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import { type ContentDigest, contentDigestOf } from "../storage/content-digest.ts";
import type { Database } from "../storage/database.ts";
import { wrongParts } from "./contents.ts";
import { account } from "./quotas.ts";
import { listingOf } from "./referrers.ts";
import { listingIndexes, migrateRegistry } from "./tables.ts";

export interface BulkLoad {
  /** Of a registry that nobody else uses meanwhile. */
  readonly db: Database;
  readonly repository: string;
  /** The exact bytes of manifests, each with its media type. */
  readonly manifests: AsyncIterable<{ readonly bytes: Uint8Array; readonly mediaType: string }>;
  /** Where their bytes go. Left out, they are listed and cannot be fetched: enough to measure lists, and for nothing else. */
  readonly blobs?: Pick<BlobStore, "put">;
  readonly clock?: { now(): number };
  /** Told now and then how many were read. */
  readonly onRead?: (manifests: number) => void;
}

interface Parsed {
  readonly bytes: Uint8Array;
  readonly digest: ContentDigest;
  readonly manifest: Manifest;
}

const columns =
  "repository, digest, media_type, size, subject, artifact_type, descriptor, subject_id, device, from_ms, to_ms, pushed";
const readAtOnce = 1_000;
/** Blobs that are written at the same time. */
const writers = 16;

/**
 * Stores manifests in great number, with the checks that a push of each would make: their form, and their parts, which the repository has
 * to hold already. They are gathered first and then moved into the registry's tables in the order of its indexes, as one transaction:
 * all of them are there, or none. No hook hears of them. What is there already stays. Returns how many were read.
 *
 * @throws OciError `manifest-invalid`, `not-found` and the like for the first that a push would refuse; `Refusal` beyond a quota
 */
export async function bulkLoad({
  db,
  manifests,
  blobs,
  onRead = () => {},
  clock = Date,
  ...load
}: BulkLoad): Promise<number> {
  const repository = parseRepository(load.repository);
  await migrateRegistry(db);
  await dropGathered(db);
  await db.run(`CREATE TABLE registry_load AS SELECT ${columns} FROM registry_manifest WHERE 1 = 0`);
  await db.run("CREATE TABLE registry_load_part AS SELECT part, manifest FROM registry_part WHERE 1 = 0");
  const parts = new KnownParts(db, repository);
  let read = 0;
  let batch: Parsed[] = [];
  const gather = async () => {
    for (const item of batch) await parts.check(item);
    if (blobs !== undefined) await storeBytes(blobs, batch);
    await db.transaction((tx) => gatherBatch(tx, repository, batch, clock.now()), { synced: false });
    read += batch.length;
    batch = [];
    onRead(read);
  };
  try {
    for await (const { bytes, mediaType } of manifests) {
      batch.push({ bytes, digest: contentDigestOf(bytes), manifest: parseManifest(bytes, mediaType) });
      if (batch.length === readAtOnce) await gather();
    }
    await gather();
    await db.transaction((tx) => moveGathered(tx, repository));
  } finally {
    await dropGathered(db);
  }
  return read;
}

async function gatherBatch(tx: Database, repository: string, batch: readonly Parsed[], now: number): Promise<void> {
  const insert = `INSERT INTO registry_load (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
  for (const { bytes, digest, manifest } of batch) {
    const descriptor = referrerDescriptor(manifest, digest, bytes.length);
    const subject = manifest.subject?.digest;
    await tx.run(insert, [
      repository,
      digest,
      manifest.mediaType,
      bytes.length,
      subject ?? null,
      descriptor.artifactType ?? null,
      JSON.stringify(descriptor),
      ...(await listingOf(tx, repository, subject, descriptor)),
      now,
    ]);
    for (const part of new Set(partsOf(manifest).map(({ digest }) => digest))) {
      await tx.run("INSERT INTO registry_load_part (part, manifest) VALUES (?, ?)", [part, digest]);
    }
  }
}

/** In the order of the keys: in any other, a million random digests would each change a page somewhere else. */
async function moveGathered(tx: Database, repository: string): Promise<void> {
  const [added] = await tx.query<{ manifests: number; bytes: number | null }>(
    `SELECT COUNT(*) AS manifests, SUM(size) AS bytes FROM registry_load l WHERE NOT EXISTS
     (SELECT 1 FROM registry_manifest m WHERE m.repository = l.repository AND m.digest = l.digest)`,
  );
  await account(tx, repository, { manifests: added?.manifests ?? 0, bytes: added?.bytes ?? 0 });
  for (const name of Object.keys(listingIndexes)) await tx.run(`DROP INDEX ${name}`);
  await tx.run(
    `INSERT INTO registry_manifest (${columns}) SELECT ${columns} FROM registry_load WHERE 1 = 1 ORDER BY digest ON CONFLICT DO NOTHING`,
  );
  await tx.run(
    `INSERT INTO registry_part (repository, part, manifest) SELECT ?, part, manifest FROM registry_load_part WHERE 1 = 1
     ORDER BY part, manifest ON CONFLICT DO NOTHING`,
    [repository],
  );
  for (const sql of Object.values(listingIndexes)) await tx.run(sql);
}

async function dropGathered(db: Database): Promise<void> {
  await db.run("DROP TABLE IF EXISTS registry_load");
  await db.run("DROP TABLE IF EXISTS registry_load_part");
}

/** Many manifests share a few parts, the empty config above all: those that were found are not asked for again. */
class KnownParts {
  readonly #db: Database;
  readonly #repository: string;
  readonly #found = new Set<string>();

  constructor(db: Database, repository: string) {
    this.#db = db;
    this.#repository = repository;
  }

  async check({ digest, manifest }: Parsed): Promise<void> {
    const parts = partsOf(manifest).map((part) => `${manifest.kind} ${part.digest} ${part.size}`);
    if (parts.every((part) => this.#found.has(part))) return;
    const [wrong] = await wrongParts(this.#db, this.#repository, manifest);
    if (wrong === undefined) {
      if (this.#found.size > 10_000) this.#found.clear();
      for (const part of parts) this.#found.add(part);
      return;
    }
    const { part, size } = wrong;
    throw new OciError(
      size === undefined ? "not-found" : "size-mismatch",
      `manifest ${digest} names ${part.digest} with ${part.size} bytes, of which ${this.#repository} holds ${size ?? "none"}`,
      { hint: "push config and layers first; what is in another repository can be mounted" },
    );
  }
}

async function storeBytes(blobs: Pick<BlobStore, "put">, batch: readonly Parsed[]): Promise<void> {
  let next = 0;
  const writer = async () => {
    for (let item = batch[next++]; item !== undefined; item = batch[next++]) await blobs.put(item.digest, item.bytes);
  };
  await Promise.all(Array.from({ length: writers }, writer));
}
