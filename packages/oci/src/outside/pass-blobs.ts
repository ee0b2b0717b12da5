import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { chunksOf, discard } from "../client/reply.ts";
import { verifiedBlob } from "../client/verified-blob.ts";
import { sendEmpty } from "../registry/exchange.ts";
import type { ContentDigest } from "../storage/content-digest.ts";
import { kept, type Pass } from "./pass-exchange.ts";

/**
 * GET and HEAD of a blob. A whole blob is hashed on the way, and its last bytes are only sent when it is the one that was
 * asked for; a range cannot be, so whoever puts ranges together checks the whole, as every client does.
 */
export async function passBlob(pass: Pass, digest: ContentDigest): Promise<void> {
  const { req, res, upstream } = pass;
  const url = blobUrl(pass, digest);
  const { range } = req.headers;
  if (req.method === "GET" && range !== undefined) return passRange(pass, digest, range);
  const doing = `looking for blob ${digest} in ${upstream.name}`;
  const head = await upstream.transport.call({ method: "HEAD", url, doing }, 200);
  await discard(head);
  const length = head.response.headers.get("content-length");
  const headers = { ...blobHeaders(digest), ...(length === null ? {} : { "Content-Length": length }) };
  if (req.method === "HEAD") return sendEmpty(res, 200, headers);
  const size = length === null ? undefined : Number(length);
  const content = size === undefined ? digest : { mediaType: "application/octet-stream", digest, size };
  const chunks = heldBack(verifiedBlob(upstream.transport, url, content));
  // Begun before the head is sent: a registry that has the blob and does not give it is an error, not a torn answer.
  const first = await chunks.next();
  res.writeHead(200, headers);
  await pipeline(Readable.from(after(first, chunks)), res);
}

/** DELETE of a blob. */
export async function passBlobDelete(pass: Pass, digest: ContentDigest): Promise<void> {
  const doing = `deleting blob ${digest} from ${pass.upstream.name}`;
  const call = { method: "DELETE", url: blobUrl(pass, digest), doing } as const;
  await discard(await pass.upstream.transport.call(call, 202, 200, 204));
  sendEmpty(pass.res, 202);
}

async function passRange(pass: Pass, digest: ContentDigest, range: string): Promise<void> {
  const { res, upstream } = pass;
  const doing = `fetching a part of blob ${digest} in ${upstream.name}`;
  const call = { method: "GET", url: blobUrl(pass, digest), headers: { Range: range }, doing } as const;
  const reply = await upstream.transport.call(call, 200, 206);
  const { status, headers } = reply.response;
  res.writeHead(status, { ...blobHeaders(digest), ...kept(headers, "content-length", "content-range") });
  await pipeline(Readable.from(chunksOf(reply)), res);
}

function blobUrl({ upstream }: Pass, digest: ContentDigest): string {
  return `/v2/${upstream.name}/blobs/${digest}`;
}

function blobHeaders(digest: ContentDigest): Record<string, string> {
  return {
    "Content-Type": "application/octet-stream",
    "Docker-Content-Digest": digest,
    "Accept-Ranges": "bytes",
    ETag: `"${digest}"`,
  };
}

/** The chunks, each when the next one is there: the last one only after the source has ended well. */
async function* heldBack(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array | undefined;
  for await (const chunk of source) {
    if (held !== undefined) yield held;
    held = chunk;
  }
  if (held !== undefined) yield held;
}

async function* after(first: IteratorResult<Uint8Array>, rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (first.done) return;
  yield first.value;
  yield* rest;
}
