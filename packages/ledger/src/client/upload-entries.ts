import { pipeline, Readable } from "node:stream";
import { createGzip } from "node:zlib";
import type { NoteSignature } from "@tally/evidence";
import type { LogReader } from "../log-reader.ts";
import { MIRROR_INFO_TYPE, type MirrorInfo, parseMirrorInfo } from "../mirror/mirror-info.ts";
import { formatPackage, formatUploadHeader, MAX_REQUEST_PACKAGES, packageRanges } from "../mirror/upload-body.ts";
import { type PeerOptions, post } from "./peer.ts";
import { type Refused, readCosignatures, refused } from "./submit-checkpoint.ts";

export interface UploadOptions extends PeerOptions {
  readonly log: Pick<LogReader, "origin" | "entries" | "subtreeConsistencyProof">;
  /** Entries [start, end); `end` is the size of a checkpoint that the mirror took. */
  readonly start: number;
  readonly end: number;
  /** From the mirror's last answer. */
  readonly ticket?: Uint8Array;
  /** Sends all packages in one request, streamed; false by default. */
  readonly whole?: boolean;
}

export type UploadResult =
  | { readonly status: "complete"; readonly signatures: readonly NoteSignature[] }
  /** Some packages are stored; go on as `info` says. */
  | { readonly status: "partial"; readonly info: MirrorInfo }
  /** Nothing was stored; begin as `info` says. */
  | { readonly status: "conflict"; readonly info: MirrorInfo }
  /** `cut`: the request ended before `end`, which is what a mirror may have stumbled over. */
  | (Refused & { readonly cut: boolean });

/** A request ends after the package that reaches this size, so that memory does not depend on how large entries are. */
const MAX_REQUEST_BYTES = 4 * 1024 * 1024;

/**
 * One `add-entries` request (C2SP tlog-mirror), gzip-encoded: the first packages of [start, end), at most 32 and about 4 MiB; or all of
 * them, in the memory that two packages take.
 *
 * @throws LedgerError `unreachable`; `protocol` when the answer is none of the protocol's.
 */
export async function uploadEntries(url: string, options: UploadOptions): Promise<UploadResult> {
  const sent = { end: options.start };
  const body = options.whole ? compressed(options, sent) : await joined(compressed(options, sent));
  const answer = await post(url, "add-entries", { body, type: "application/octet-stream", encoding: "gzip" }, options);
  if (answer.status === 200) return { status: "complete", signatures: readCosignatures(url, answer) };
  if (answer.type === MIRROR_INFO_TYPE && answer.status === 202)
    return { status: "partial", info: parseMirrorInfo(answer.text) };
  if (answer.type === MIRROR_INFO_TYPE && answer.status === 409)
    return { status: "conflict", info: parseMirrorInfo(answer.text) };
  return { ...refused(answer), cut: sent.end < options.end && !options.whole };
}

/** The body of that request, as `uploadEntries` sends it. */
export async function uploadRequest(options: BodyOptions): Promise<Buffer<ArrayBuffer>> {
  return joined(compressed(options, { end: options.start }));
}

async function joined(chunks: AsyncIterable<Uint8Array>): Promise<Buffer<ArrayBuffer>> {
  return Buffer.concat(await Array.fromAsync(chunks));
}

async function* compressed(options: BodyOptions, sent: { end: number }): AsyncGenerator<Uint8Array, void, undefined> {
  // Fast compression: what makes up most of an entry is hashes, which no level shortens.
  const encoder = createGzip({ level: 1 });
  // Errors of the ledger reach the reader through the encoder.
  pipeline(Readable.from(uploadBody(options, sent)), encoder, () => {});
  for await (const chunk of encoder) yield chunk as Uint8Array;
}

type BodyOptions = Omit<UploadOptions, keyof PeerOptions>;

async function* uploadBody(
  { log, start, end, ticket, whole = false }: BodyOptions,
  sent: { end: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  yield formatUploadHeader({ origin: log.origin, start, end, ticket: ticket ?? new Uint8Array(0) });
  let packages = 0;
  let bytes = 0;
  for (const range of packageRanges(start, end)) {
    const entries = await Array.fromAsync(log.entries(range.start, range.end));
    const part = formatPackage(entries, await log.subtreeConsistencyProof(range.aligned, range.end, end));
    yield part;
    sent.end = range.end;
    packages += 1;
    bytes += part.length;
    if (!whole && (packages === MAX_REQUEST_PACKAGES || bytes >= MAX_REQUEST_BYTES)) return;
  }
}
