import { pipeline } from "node:stream/promises";
import { OciError } from "../error.ts";
import { passedThrough } from "../small-garbage.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import type { ContentDigest } from "../storage/content-digest.ts";
import { requestedRange } from "./byte-range.ts";
import { type Exchange, sendEmpty } from "./exchange.ts";
import { Refusal } from "./refusal.ts";

/** GET and HEAD of a blob (end-2), whole or one byte range. */
export async function sendBlob(
  { req, res, blobs, contents }: Exchange,
  repository: string,
  digest: ContentDigest,
): Promise<void> {
  const size = await contents.blobSize(repository, digest);
  if (size === undefined) throw unknownBlob(repository, digest);
  const etag = `"${digest}"`;
  const unchanged = req.headers["if-range"] === undefined || req.headers["if-range"] === etag;
  const range = unchanged ? requestedRange(req.headers.range, size) : undefined;
  const headers = {
    "Content-Type": "application/octet-stream",
    "Docker-Content-Digest": digest,
    "Accept-Ranges": "bytes",
    ETag: etag,
    "Content-Length": range === undefined ? size : range.end - range.start,
    ...(range === undefined ? {} : { "Content-Range": `bytes ${range.start}-${range.end - 1}/${size}` }),
  };
  const status = range === undefined ? 200 : 206;
  if (req.method === "HEAD") {
    await contents.touchUnnamed(repository, digest);
    return sendEmpty(res, status, headers);
  }
  if (size <= atOnce) {
    const bytes = await storedBytes(blobs, digest, atOnce);
    res.writeHead(status, headers);
    res.end(range === undefined ? bytes : bytes.subarray(range.start, range.end));
    return;
  }
  const { stream } = await blobs.get(digest, range ?? {});
  res.writeHead(status, headers);
  await pipeline(stream, counted, res);
}

async function* counted(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    passedThrough(chunk.length);
    yield chunk;
  }
}

/** Up to so many bytes a blob is sent in one piece, and checked before: streaming it would cost more. */
const atOnce = 64 * 1024;

/** A whole small blob. That ours is damaged is no fault of who asks for it: 500. */
export async function storedBytes(blobs: BlobStore, digest: ContentDigest, max: number): Promise<Uint8Array> {
  try {
    return await blobs.bytes(digest, max);
  } catch (cause) {
    if (!(cause instanceof OciError) || cause.code !== "digest-mismatch") throw cause;
    throw new OciError("storage-failed", `${digest} is damaged in the storage of this registry`, { cause });
  }
}

/** DELETE of a blob from a repository (end-10). The bytes stay for other repositories that hold them. */
export async function deleteBlob(
  { res, contents }: Exchange,
  repository: string,
  digest: ContentDigest,
): Promise<void> {
  const result = await contents.unlinkBlob(repository, digest);
  if (result === "absent") throw unknownBlob(repository, digest);
  if (result === "needed") {
    throw new Refusal(
      405,
      "UNSUPPORTED",
      `${digest} is part of a manifest in ${repository}; delete that manifest first`,
    );
  }
  sendEmpty(res, 202);
}

export function unknownBlob(repository: string, digest: ContentDigest): Refusal {
  return new Refusal(404, "BLOB_UNKNOWN", `${repository} holds no blob ${digest}`, { detail: { digest } });
}

/** The repository holds bytes that are in the store now: said in the digest's turn, so that nobody removes them in between. */
export function holdBlob(exchange: Exchange, repository: string, digest: ContentDigest, size: number): Promise<void> {
  return holdStored(exchange, digest, () => exchange.contents.linkBlob(repository, digest, size));
}

/**
 * Takes a step by which stored bytes are held; where it fails and nobody else holds them, they go again, unless they are `kept`
 * for another try.
 */
export function holdStored<T>(
  { blobs, contents, turns }: Pick<Exchange, "blobs" | "contents" | "turns">,
  digest: ContentDigest,
  step: () => Promise<T>,
  kept: (error: unknown) => boolean = () => false,
): Promise<T> {
  return turns.take(digest, async () => {
    if ((await blobs.has(digest)) === undefined) {
      const message = `${digest} was deleted while it was being pushed: push it again`;
      throw new Refusal(409, "BLOB_UPLOAD_INVALID", message);
    }
    try {
      return await step();
    } catch (error) {
      // A collection finds them otherwise.
      if (!kept(error) && !(await contents.holds(digest).catch(() => true))) await blobs.delete(digest).catch(() => {});
      throw error;
    }
  });
}
