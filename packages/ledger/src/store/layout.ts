/**
 * A log's folder:
 *
 *     log.json   {"format":"tally-log/v1","origin":"<origin>"}
 *     entries    the journal: u16 BE length ‖ entry, one after another; 256 of them are a C2SP entry bundle as they lie
 *     commits    the journal's checksums, 32 bytes a commit:   u64 BE end index ‖ u64 BE end offset ‖ chain[16]
 *     hashes     level 0 of the tree, 32 bytes an entry; 256 of them are a C2SP tile as they lie
 *     tiles      40 bytes per full tile:                       u64 BE end offset in `entries` ‖ root of the tile[32]
 *
 * chain = SHA-256(previous chain ‖ end index ‖ end offset ‖ leaf hashes of the commit)[:16], the first "previous" being
 * SHA-256(origin)[:16]. `entries` and `commits` are written and synced at every commit. `hashes` and `tiles` follow from them:
 * they are written when a tile is full, and when a size is sealed to its end, and then synced.
 */
import { equalBytes, type Hash, sha256, utf8 } from "@tally/evidence";
import { LedgerError } from "../error.ts";

export const FORMAT = "tally-log/v1";
export const LOG_FILE = "log.json";
export const ENTRIES_FILE = "entries";
export const COMMITS_FILE = "commits";
export const HASHES_FILE = "hashes";
export const TILES_FILE = "tiles";

export const HASH_BYTES = 32;
export const TILE_WIDTH = 256;
export const TILE_BYTES = TILE_WIDTH * HASH_BYTES;
export const COMMIT_BYTES = 32;
export const TILE_RECORD_BYTES = 40;

/** A commit holds no more than this: what recovery reads at once. */
export const MAX_COMMIT_ENTRIES = 8192;
export const MAX_COMMIT_LENGTH = 32 * 1024 * 1024;

/** Where the log stands after a commit. */
export interface Mark {
  /** Entries so far. */
  readonly index: number;
  /** Bytes of `entries` so far. */
  readonly offset: number;
  /** 16 bytes. */
  readonly chain: Uint8Array;
}

export function startMark(origin: string): Mark {
  return { index: 0, offset: 0, chain: sha256(utf8(origin)).slice(0, 16) };
}

/** The mark after a commit that ends at `index` and `offset`; `leaves` are its leaf hashes, concatenated. */
export function nextMark(previous: Mark, index: number, offset: number, leaves: Uint8Array): Mark {
  const ends = new Uint8Array(16);
  writeU64(ends, 0, index);
  writeU64(ends, 8, offset);
  return { index, offset, chain: sha256(previous.chain, ends, leaves).slice(0, 16) };
}

export function concatHashes(hashes: readonly Hash[]): Uint8Array {
  const bytes = new Uint8Array(hashes.length * HASH_BYTES);
  for (const [i, hash] of hashes.entries()) bytes.set(hash, i * HASH_BYTES);
  return bytes;
}

export function encodeMark(mark: Mark): Uint8Array {
  const record = new Uint8Array(COMMIT_BYTES);
  writeU64(record, 0, mark.index);
  writeU64(record, 8, mark.offset);
  record.set(mark.chain, 16);
  return record;
}

export function decodeMark(record: Uint8Array): Mark {
  return { index: readU64(record, 0), offset: readU64(record, 8), chain: record.slice(16, COMMIT_BYTES) };
}

export function encodeLogFile(origin: string): Uint8Array {
  return utf8(`${JSON.stringify({ format: FORMAT, origin })}\n`);
}

/** The origin that a folder's log.json names; LedgerError `format-unknown` for anything but this format. */
export function parseLogFile(bytes: Uint8Array, dir: string): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new LedgerError("format-unknown", `${dir}: ${LOG_FILE} is not JSON`, { cause });
  }
  const { format, origin } = (parsed ?? {}) as { format?: unknown; origin?: unknown };
  if (format !== FORMAT || typeof origin !== "string" || origin === "") {
    throw new LedgerError(
      "format-unknown",
      `${dir}: ${LOG_FILE} says format ${JSON.stringify(format)}, not ${FORMAT}`,
      {
        hint: "open it with the version of Tally that wrote it, or a later one",
      },
    );
  }
  if (!equalBytes(bytes, encodeLogFile(origin))) {
    throw new LedgerError("format-unknown", `${dir}: ${LOG_FILE} is not as it was written`, {
      hint: `it holds one line: ${new TextDecoder().decode(encodeLogFile(origin)).trim()}`,
    });
  }
  return origin;
}

export function writeU64(into: Uint8Array, at: number, value: number): void {
  new DataView(into.buffer, into.byteOffset).setBigUint64(at, BigInt(value));
}

/** Values above 2^53 − 1 lose precision; every caller bounds what it read. */
export function readU64(from: Uint8Array, at: number): number {
  return Number(new DataView(from.buffer, from.byteOffset).getBigUint64(at));
}
