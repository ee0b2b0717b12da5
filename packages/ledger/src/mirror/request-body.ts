import type { IncomingMessage } from "node:http";
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { LedgerError } from "../error.ts";
import { MAX_REQUEST_PACKAGES, PACKAGE_ENTRIES } from "./upload-body.ts";

/** The largest `add-entries` body of 32 packages: 8,192 entries of 65,535 bytes with lengths and proofs, and the header. */
export const MAX_UPLOAD_BYTES = MAX_REQUEST_PACKAGES * (PACKAGE_ENTRIES * (2 + 65_535) + 1 + 63 * 32) + 3 * 65_536;

/**
 * The body of a request as `addEntries` reads it: decoded when it is gzip, in pieces, never whole in memory.
 *
 * Reading fails (LedgerError `protocol`) after `maxBytes` decoded bytes, when gzip data is damaged, and at once for another
 * content encoding. To stop reading leaves the connection open, so that an early answer can still be sent.
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

function decode(raw: AsyncIterable<Uint8Array>, encoding: string): AsyncIterable<Uint8Array> {
  if (encoding === "identity") return raw;
  if (encoding === "gzip") return gunzip(raw);
  throw new LedgerError("protocol", `content encoding ${encoding} is not supported; use gzip or none`);
}

async function* gunzip(raw: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const decoder = createGunzip();
  // Errors of the request reach the reader through the decoder; leaving the loop destroys both, not the connection.
  pipeline(Readable.from(raw), decoder, () => {});
  try {
    for await (const chunk of decoder) yield chunk as Uint8Array;
  } catch (error) {
    throw new LedgerError("protocol", `the gzip body cannot be decoded: ${(error as Error).message}`, { cause: error });
  }
}
