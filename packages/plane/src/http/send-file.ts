import type { FileHandle } from "node:fs/promises";
import type { FastifyReply, FastifyRequest } from "fastify";

export interface SentFile {
  readonly file: FileHandle;
  readonly size: number;
  /** Names these very bytes. */
  readonly tag: string;
}

/**
 * Sends a file that was opened for it, or the one range of it that was asked for (RFC 9110, 14): a download that broke off
 * goes on with `Range` and `If-Range`. Closes the file.
 */
export async function sendFile(request: FastifyRequest, reply: FastifyReply, { file, size, tag }: SentFile) {
  const etag = `"${tag}"`;
  reply.header("etag", etag).header("accept-ranges", "bytes");
  const range = rangeOf(request, etag, size);
  if (range === "none of it") {
    await file.close();
    return reply.code(416).header("content-range", `bytes */${size}`).send();
  }
  const [start, end] = range ?? [0, size];
  if (range !== undefined) reply.code(206).header("content-range", `bytes ${start}-${end - 1}/${size}`);
  reply.header("content-length", end - start);
  if (start === end) {
    await file.close();
    return reply.send();
  }
  return reply.send(file.createReadStream({ start, end: end - 1, highWaterMark: 256 * 1024 }));
}

/** [start, end) that was asked for; undefined where it is the whole file, as also for ranges of other forms. */
function rangeOf(
  { headers }: FastifyRequest,
  etag: string,
  size: number,
): readonly [number, number] | "none of it" | undefined {
  if (headers["if-range"] !== undefined && headers["if-range"] !== etag) return undefined;
  const [, first, last] = /^bytes=(\d{1,15})-(\d{0,15})$/.exec(headers.range ?? "") ?? [];
  if (first === undefined || last === undefined) return undefined;
  const start = Number(first);
  const end = last === "" ? size : Math.min(Number(last) + 1, size);
  if (last !== "" && Number(last) < start) return undefined;
  return start >= size ? "none of it" : [start, end];
}

/** The tag of `If-Range`, where it is one: what a broken download has the beginning of. */
export function tagToGoOnWith({ headers }: FastifyRequest): string | undefined {
  return headers.range === undefined ? undefined : /^"([0-9a-f]{64})"$/.exec(String(headers["if-range"]))?.[1];
}
