import type { BlobStore } from "../../storage/blob-store.ts";
import type { ContentDigest } from "../../storage/content-digest.ts";
import type { Database } from "../../storage/database.ts";
import type { Contents } from "../contents.ts";
import type { DigestTurns } from "../digest-turns.ts";
import type { Retention } from "../retention.ts";
import type { UploadSessions } from "../upload-sessions.ts";
import type { Evidence, EvidenceReader } from "./evidence.ts";

export interface CollectionOptions {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly contents: Contents;
  readonly turns: DigestTurns;
  readonly retention: Retention;
  readonly uploads: UploadSessions;
  readonly clock: { now(): number };
  readonly evidence: Evidence | undefined;
}

/** One collection: what it works with, and how far evidence was read. */
export interface Round extends CollectionOptions {
  readonly reader: EvidenceReader;
  /** What was brought from then on stays. */
  readonly since: number;
  readonly dryRun: boolean;
  readonly explain: boolean;
  /** Notes which of these came to be named since they were found. */
  readNames(digests: readonly ContentDigest[]): Promise<void>;
}
