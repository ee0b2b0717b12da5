import { parseRepository } from "../artifact/reference.ts";
import { OciError, type OciErrorCode } from "../error.ts";
import type { StagedBlob } from "../storage/blob-store.ts";
import { exactly } from "../storage/byte-count.ts";
import { type ContentDigest, isContentDigest, parseContentDigest } from "../storage/content-digest.ts";
import { holdBlob, holdStored } from "./blobs.ts";
import { chunkRange } from "./byte-range.ts";
import { type Exchange, sendEmpty } from "./exchange.ts";
import { overQuota } from "./quotas.ts";
import { Refusal } from "./refusal.ts";
import { announcedLength, requestBody } from "./request-body.ts";

/** POST of uploads (end-4, end-11): mounts a blob, takes one whole, or begins an upload. */
export async function beginUpload(exchange: Exchange, repository: string): Promise<void> {
  const { req, res, query, blobs, uploads } = exchange;
  const mount = query.get("mount");
  if (mount !== null && (await mountBlob(exchange, repository, mount, query.get("from")))) return;
  const digest = query.get("digest");
  if (mount === null && digest !== null) {
    const wanted = parseContentDigest(digest);
    const room = await roomFor(exchange, repository, wanted, announcedLength(req) ?? 0);
    const stored = await blobs.put(wanted, room(requestBody(req)));
    await holdBlob(exchange, repository, stored.digest, stored.size);
    return sendCreated(exchange, repository, stored.digest);
  }
  const algorithm = query.get("digest-algorithm") ?? "sha256";
  if (algorithm !== "sha256" && algorithm !== "sha512") {
    throw new Refusal(400, "DIGEST_INVALID", `${algorithm} is not supported; sha256 and sha512 are`);
  }
  const id = await uploads.begin(repository, await callerOf(exchange));
  sendEmpty(res, 202, progress(repository, id, 0));
}

/** GET of an upload (end-13): how far it came. */
export async function uploadStatus(exchange: Exchange, repository: string, id: string): Promise<void> {
  const staged = await resume(exchange, repository, id);
  sendEmpty(exchange.res, 204, progress(repository, id, staged.size));
}

/** PATCH of an upload (end-5): a chunk with its range, or a stream that goes on where the upload stands. */
export async function appendChunk(exchange: Exchange, repository: string, id: string): Promise<void> {
  const staged = await resume(exchange, repository, id);
  await appendBody(exchange, repository, staged);
  sendEmpty(exchange.res, 202, progress(repository, id, staged.size));
}

/** PUT of an upload (end-6): the last chunk if there is one, and the digest of the whole. */
export async function finishUpload(exchange: Exchange, repository: string, id: string): Promise<void> {
  const { query, uploads } = exchange;
  const digest = parseContentDigest(query.get("digest") ?? "");
  const staged = await resume(exchange, repository, id);
  const before = staged.size;
  if (announcedLength(exchange.req) !== 0) await appendBody(exchange, repository, staged, digest);
  const link = (size: number) =>
    holdStored(exchange, digest, () => exchange.contents.linkBlob(repository, digest, size), isForNow);
  await staged.commit(digest, link).catch(async (error) => {
    // The last chunk may be what was wrong; without it the upload can still be finished by another.
    if (hasCode(error, "digest-mismatch")) await staged.truncate(before);
    // What is refused for good has left no bytes.
    else if (error instanceof Refusal) await uploads.cancel(id);
    throw error;
  });
  // The blob is held: a session that cannot be forgotten now is forgotten when it expires.
  await uploads.end(id).catch((error) => {
    if (!hasCode(error, "storage-full")) throw error;
  });
  sendCreated(exchange, repository, digest);
}

/** DELETE of an upload (end-14). */
export async function cancelUpload(exchange: Exchange, repository: string, id: string): Promise<void> {
  await resume(exchange, repository, id);
  await exchange.uploads.cancel(id);
  sendEmpty(exchange.res, 204);
}

/** The caller's own upload; a 404 for anybody else's. */
async function resume(exchange: Exchange, repository: string, id: string): Promise<StagedBlob> {
  return exchange.uploads.resume(repository, id, await callerOf(exchange));
}

async function callerOf({ options, req }: Exchange): Promise<string> {
  return (await options.callerOf?.(req)) ?? "";
}

async function appendBody(
  exchange: Exchange,
  repository: string,
  staged: StagedBlob,
  digest?: ContentDigest,
): Promise<void> {
  const { req } = exchange;
  const range = chunkRange(req.headers["content-range"]);
  const before = staged.size;
  const room = await roomFor(exchange, repository, digest, before + (announcedLength(req) ?? 0), before);
  if (range === undefined) {
    await staged.append(before, room(requestBody(req)));
    return;
  }
  const length = range.end - range.start;
  const announced = announcedLength(req);
  if (announced !== undefined && announced !== length) {
    throw new Refusal(400, "SIZE_INVALID", `Content-Range names ${length} bytes, Content-Length ${announced}`);
  }
  try {
    await staged.append(range.start, room(exactly(length, requestBody(req))));
  } catch (error) {
    // A chunk that is not what its range says is not kept; what a broken connection left is, for resuming.
    if (hasCode(error, "size-mismatch")) await staged.truncate(before);
    throw error;
  }
}

/**
 * Lets through what quotas leave room for. An upload that is too large by its announced length is refused before its first byte,
 * one that does not say so at the byte that is too many; what the repository holds already costs nothing.
 */
async function roomFor(
  { contents, quotas }: Exchange,
  repository: string,
  digest: ContentDigest | undefined,
  announced: number,
  before = 0,
): Promise<(source: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>> {
  const room = await quotas.room(repository);
  if (room === undefined) return (source) => source;
  if (digest !== undefined && (await contents.blobSize(repository, digest)) !== undefined) return (source) => source;
  if (announced > room.bytes) throw overQuota(repository, room.quota, announced);
  return async function* (source) {
    let length = before;
    for await (const chunk of source) {
      length += chunk.length;
      if (length > room.bytes) throw overQuota(repository, room.quota, length);
      yield chunk;
    }
  };
}

/** Whether the blob was mounted; where it cannot be, the specification wants an ordinary upload to begin. */
async function mountBlob(exchange: Exchange, repository: string, mount: string, from: string | null): Promise<boolean> {
  const { req, blobs, contents, turns, options } = exchange;
  if (from === null || !isContentDigest(mount)) return false;
  const source = parseRepository(from);
  // Nobody learns through a mount what a repository holds that they may not read.
  if (await options.authorize(req, { repository: source, action: "pull" })) return false;
  const mounted = await turns.take(mount, async () => {
    const size = await contents.blobSize(source, mount);
    if (size === undefined || (await blobs.has(mount)) === undefined) return false;
    await contents.linkBlob(repository, mount, size);
    return true;
  });
  if (mounted) sendCreated(exchange, repository, mount);
  return mounted;
}

/** A disk without room for the word that a repository holds a blob: its bytes are there, and finishing again needs no more. */
function isForNow(error: unknown): boolean {
  return !(error instanceof Refusal);
}

function hasCode(error: unknown, code: OciErrorCode): boolean {
  return error instanceof OciError && error.code === code;
}

function sendCreated({ res }: Exchange, repository: string, digest: ContentDigest): void {
  sendEmpty(res, 201, { Location: `/v2/${repository}/blobs/${digest}`, "Docker-Content-Digest": digest });
}

function progress(repository: string, id: string, size: number): Record<string, string> {
  return {
    Location: `/v2/${repository}/blobs/uploads/${id}`,
    // The last byte's position; the specification has no way of saying "none yet", and clients expect 0-0.
    Range: `0-${Math.max(0, size - 1)}`,
    "Docker-Upload-UUID": id,
  };
}
