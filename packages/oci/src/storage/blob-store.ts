import type { Readable } from "node:stream";
import type { Digest } from "@tally/evidence";
import type { ContentDigest } from "./content-digest.ts";

export type ByteSource = AsyncIterable<Uint8Array> | Uint8Array;

/** Bytes by digest. A blob is either wholly there and durable, or absent; nothing half-written is ever seen by a reader. */
export interface BlobStore {
  /** `storedAt`, in milliseconds since 1970, is when it was last put, where the store can tell. */
  has(digest: ContentDigest): Promise<{ size: number; storedAt?: number } | undefined>;

  /**
   * A blob as a stream; `size` is the size of the whole blob. The range is half-open like `slice`: [start, end).
   * Read the stream to its end or destroy it. The bytes are not hashed again on the way out: who receives them checks them. Throws `not-found`, `range-invalid`.
   */
  get(digest: ContentDigest, range?: { start?: number; end?: number }): Promise<{ size: number; stream: Readable }>;

  /** A whole small blob, checked against its digest. Throws `not-found`, `too-large` beyond `max` bytes, `digest-mismatch`. */
  bytes(digest: ContentDigest, max: number): Promise<Uint8Array>;

  /**
   * Stores what the source yields, durable when it resolves. With a digest, the bytes must have it (`digest-mismatch`);
   * with null, they get their sha256. The source is read to its end even when the blob is there already: naming a digest
   * does not prove that the caller has the bytes, and writing again repairs a damaged copy.
   */
  put<D extends ContentDigest = Digest>(digest: D | null, source: ByteSource): Promise<{ digest: D; size: number }>;

  /** Opens the upload with this id (letters, digits, `-`), or begins it: bytes gathered over several requests, resumable. */
  stage(id: string): Promise<StagedBlob>;

  /** The ids of uploads that were begun and neither committed nor discarded. */
  staged(): AsyncIterable<string>;

  /** Whether there was something to delete. */
  delete(digest: ContentDigest): Promise<boolean>;

  list(): AsyncIterable<ContentDigest>;
}

/** An upload in progress. One caller at a time may append or commit; a second gets `busy`. */
export interface StagedBlob {
  readonly id: string;
  /** Bytes received so far. After a crash this may be less than was once acknowledged: ask before resuming. */
  readonly size: number;
  /**
   * Appends at `offset`, which must be the current size (`range-invalid` for a gap or overlap), and resolves to the new
   * size. When the source fails midway, what arrived is kept and can be resumed from.
   */
  append(offset: number, source: ByteSource): Promise<number>;
  /** Drops everything from `size` on. */
  truncate(size: number): Promise<void>;
  /**
   * Turns the upload into a blob, durable when it resolves. With other bytes than the digest names, throws and keeps the upload. `hold`
   * is called when the blob is there; when it throws, the upload stays as well, and committing again needs no bytes.
   */
  commit<D extends ContentDigest>(
    digest: D,
    hold?: (size: number) => Promise<void>,
  ): Promise<{ digest: D; size: number }>;
  discard(): Promise<void>;
}
