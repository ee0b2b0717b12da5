import type { IncomingMessage } from "node:http";
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { LedgerError } from "../error.ts";
import { MAX_REQUEST_PACKAGES, PACKAGE_ENTRIES } from "./upload-body.ts";

/** The largest `add-entries` body of 32 packages: 8,192 entries of 65,535 bytes with lengths and proofs, and the header. */
export const MAX_UPLOAD_BYTES = MAX_REQUEST_PACKAGES * (PACKAGE_ENTRIES * (2 + 65_535) + 1 + 63 * 32) + 3 * 65_536;

/** Each piece is a trip to a thread and back. */
const DECODED_CHUNK_BYTES = 128 * 1024;

/** More than our own client sends at once. */
const DISCARDED_BYTES = 32 * 1024 * 1024;

/**
 * The body of a request as `addEntries` reads it: decoded when it is gzip, in pieces, never whole in memory.
 *
 * Reading fails (LedgerError `protocol`) after `maxBytes` decoded bytes, when gzip data is damaged, and at once for another
 * content encoding. To stop reading leaves the connection open, so that an early answer can still be sent; see discardRest.
 */
export async function* requestBody(
  request: IncomingMessage,
  options: { maxBytes?: number } = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { maxBytes = MAX_UPLOAD_BYTES } = options;
  const encoding = request.headers["content-encoding"] ?? "identity";
  const raw = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
  let length = 0;
  for await (const chunk of decode(raw, encoding)) {
    length += chunk.length;
    if (length > maxBytes) throw new LedgerError("protocol", `the decoded body is larger than ${maxBytes} bytes`);
    yield chunk;
  }
}

/**
 * To be called after an answer was written: reads what is left of the request, up to `maxBytes` as sent, and drops it. A client
 * that still sends would otherwise find its connection reset, and may never see why.
 */
export function discardRest(request: IncomingMessage, maxBytes: number = DISCARDED_BYTES): void {
  let length = 0;
  request.on("data", (chunk: Uint8Array) => {
    length += chunk.length;
    if (length > maxBytes) request.destroy();
  });
  request.on("error", () => {}); // the client has gone
  request.resume();
}

function decode(raw: AsyncIterable<Uint8Array>, encoding: string): AsyncIterable<Uint8Array> {
  if (encoding === "identity") return raw;
  if (encoding === "gzip") return gunzip(raw);
  throw new LedgerError("protocol", `content encoding ${encoding} is not supported; use gzip or none`);
}

async function* gunzip(raw: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const decoder = createGunzip({ chunkSize: DECODED_CHUNK_BYTES });
  // Errors of the request reach the reader through the decoder; leaving the loop destroys both, not the connection.
  pipeline(Readable.from(raw), decoder, () => {});
  try {
    for await (const chunk of decoder) yield chunk as Uint8Array;
  } catch (error) {
    throw new LedgerError("protocol", `the gzip body cannot be decoded: ${(error as Error).message}`, { cause: error });
  }
}
