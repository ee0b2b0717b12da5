import { encodeCbor } from "../cbor/index.ts";
import { asHash, type Hash } from "../digest.ts";
import { type ByteSource, readExactly } from "./byte-source.ts";
import { cborHead } from "./layout.ts";
import { memberTypes } from "./member.ts";

export interface ListedMember {
  readonly type: number;
  readonly length: number;
  readonly digest: Hash;
}

export interface FoundList {
  /** Offset of the list's first byte. */
  readonly start: number;
  readonly items: readonly ListedMember[];
}

const lastType = Math.max(...Object.values(memberTypes));
const firstTailBytes = 1024 * 1024;
/** The list of six million members. */
const mostTailBytes = 256 * 1024 * 1024;
/** More than an item and the array's head before it take. */
const roomOfItem = 64;

/**
 * Finds the member list from its end, for files in which the way through the members is lost. An item is
 * `83 <type> <length> 58 20 <sha256>`, so it can be read backwards; what stands before the first is the array's head.
 * Reads more of the file's end as it goes on being a list.
 */
export async function listFromTheEnd(source: ByteSource, from: number, end: number): Promise<FoundList | undefined> {
  for (let length = firstTailBytes; ; length *= 8) {
    const start = Math.max(from, end - length);
    const found = listAtEnd(await readExactly(source, start, Math.max(end - start, 0)), start === from);
    if (found === undefined) return undefined;
    if (found !== "goes on") return { start: start + found.start, items: found.items };
    if (length >= mostTailBytes) return undefined;
  }
}

function listAtEnd(tail: Uint8Array, whole: boolean): FoundList | "goes on" | undefined {
  const backwards: ListedMember[] = [];
  let found: { start: number; length: number } | undefined;
  let at = tail.length;
  for (;;) {
    // The end of an item's hash can look like the head of a shorter list: the longest one that there is counts.
    const head = cborHead(4, backwards.length);
    if (backwards.length > 0 && endsWith(tail, at, head)) found = { start: at - head.length, length: backwards.length };
    if (!whole && at < roomOfItem) return "goes on";
    const item = itemBefore(tail, at);
    if (item === undefined) break;
    backwards.push(item);
    at = item.start;
  }
  return found && { start: found.start, items: backwards.slice(0, found.length).reverse() };
}

function itemBefore(file: Uint8Array, end: number): (ListedMember & { start: number }) | undefined {
  const hash = end - 32;
  if (hash < 5 || file[hash - 2] !== 0x58 || file[hash - 1] !== 0x20) return undefined;
  for (const width of [1, 2, 3, 5]) {
    const start = hash - 2 - width - 2;
    if (start < 0 || file[start] !== 0x83) continue;
    const type = file[start + 1]!;
    const length = lengthIn(file.subarray(start + 2, start + 2 + width));
    if (type < 1 || type > lastType || length === undefined) continue;
    return { start, type, length, digest: asHash(file.slice(hash, end)) };
  }
  return undefined;
}

/** The unsigned integer that these bytes are, if they are one in its shortest form. */
function lengthIn(bytes: Uint8Array): number | undefined {
  let value = bytes.length === 1 ? bytes[0]! : 0;
  for (const byte of bytes.subarray(1)) value = value * 256 + byte;
  return endsWith(bytes, bytes.length, encodeCbor(value)) && encodeCbor(value).length === bytes.length
    ? value
    : undefined;
}

function endsWith(bytes: Uint8Array, end: number, part: Uint8Array): boolean {
  const start = end - part.length;
  return start >= 0 && part.every((byte, i) => bytes[start + i] === byte);
}
