import { asHash, concatBytes, fromUtf8, type Hash, type PackedEntries, utf8 } from "@tally/evidence";
import { LedgerError } from "../error.ts";
import type { ByteReader } from "./byte-reader.ts";

/** Entries per package: one entry bundle of C2SP tlog-tiles. */
export const PACKAGE_ENTRIES = 256;
/** C2SP tlog-mirror: a client sends at most 32 packages in a request. */
export const MAX_REQUEST_PACKAGES = 32;
const MAX_PROOF_HASHES = 63;

/**
 * What stands before the packages in the body of `POST add-entries` (C2SP tlog-mirror), all integers big-endian:
 *
 *     u16 originLength ‖ origin ‖ u64 start ‖ u64 end ‖ u16 ticketLength ‖ ticket
 */
export interface UploadHeader {
  readonly origin: string;
  readonly start: number;
  readonly end: number;
  readonly ticket: Uint8Array;
}

/** The entries [start, end), which are proven as the subtree [aligned, end). */
export interface PackageRange {
  readonly aligned: number;
  readonly start: number;
  readonly end: number;
}

export interface EntryPackage extends PackageRange {
  /** As they came: an upload has entries in the form of the journal. */
  readonly packed: PackedEntries;
  readonly proof: readonly Hash[];
}

/** The canonical sequence of packages for an upload of [start, end): cut wherever an index is a multiple of 256. */
export function* packageRanges(start: number, end: number): Generator<PackageRange> {
  for (let at = start; at < end; ) {
    const aligned = at - (at % PACKAGE_ENTRIES);
    const cut = Math.min(end, aligned + PACKAGE_ENTRIES);
    yield { aligned, start: at, end: cut };
    at = cut;
  }
}

/** Writes the header; the origin has at most 65,535 bytes. */
export function formatUploadHeader(header: UploadHeader): Uint8Array {
  const origin = utf8(header.origin);
  const bytes = new Uint8Array(2 + origin.length + 16 + 2 + header.ticket.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, origin.length);
  bytes.set(origin, 2);
  view.setBigUint64(2 + origin.length, BigInt(header.start));
  view.setBigUint64(10 + origin.length, BigInt(header.end));
  view.setUint16(18 + origin.length, header.ticket.length);
  bytes.set(header.ticket, 20 + origin.length);
  return bytes;
}

/** Writes one package: each entry after its u16 length, u8 number of hashes, the hashes. */
export function formatPackage(entries: readonly Uint8Array[], proof: readonly Hash[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const entry of entries) parts.push(Uint8Array.of(entry.length >> 8, entry.length & 0xff), entry);
  return concatBytes(...parts, Uint8Array.of(proof.length), ...proof);
}

/** Reads the header. LedgerError `protocol` when it is cut short or malformed. */
export async function readUploadHeader(reader: ByteReader): Promise<UploadHeader> {
  const origin = decodeOrigin(await readSized(reader, "the origin"));
  if (!(await reader.fill(16))) throw cutShort(reader, "the range");
  const [start, end] = [takeUint64(reader), takeUint64(reader)];
  if (start > end) throw new LedgerError("protocol", `the upload starts at ${start}, after its end ${end}`);
  return Object.freeze({ origin, start, end, ticket: await readSized(reader, "the ticket") });
}

/**
 * Reads one package; undefined when the body ends before the package does. Nothing is verified yet.
 * Holds at most 256 entries of 65,535 bytes. LedgerError `protocol` for a proof of over 63 hashes.
 */
export async function readPackage(reader: ByteReader, range: PackageRange): Promise<EntryPackage | undefined> {
  const ends = new Uint32Array(range.end - range.start);
  let length = 0;
  for (let i = 0; i < ends.length; i++) {
    if (reader.ready < length + 2 && !(await reader.fill(length + 2))) return undefined;
    length += 2 + reader.uint16At(length);
    ends[i] = length;
  }
  if (!(await reader.fill(length))) return undefined;
  const packed = { bytes: reader.take(length), ends };
  if (!(await reader.fill(1))) return undefined;
  const hashes = reader.take(1)[0]!;
  if (hashes > MAX_PROOF_HASHES)
    throw new LedgerError("protocol", `a proof of ${hashes} hashes; at most 63 are allowed`);
  if (!(await reader.fill(32 * hashes))) return undefined;
  const proof = Array.from({ length: hashes }, () => asHash(reader.take(32)));
  return { ...range, packed, proof };
}

async function readSized(reader: ByteReader, what: string): Promise<Uint8Array> {
  if (!(await reader.fill(2))) throw cutShort(reader, `the length of ${what}`);
  const length = reader.takeUint16();
  if (!(await reader.fill(length))) throw cutShort(reader, what);
  return reader.take(length);
}

function decodeOrigin(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes);
  } catch (error) {
    throw new LedgerError("protocol", "the origin is not UTF-8", { cause: error });
  }
}

function takeUint64(reader: ByteReader): number {
  const bytes = reader.take(8);
  const value = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new LedgerError("protocol", "a size above 2^53 - 1");
  return Number(value);
}

function cutShort({ broken }: ByteReader, what: string): LedgerError {
  const why = broken === undefined ? "the body ends" : `the body broke off (${broken.message})`;
  return new LedgerError("protocol", `${why} within ${what}`, { cause: broken });
}
