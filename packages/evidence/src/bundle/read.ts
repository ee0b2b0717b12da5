import { equalBytes, utf8 } from "../bytes.ts";
import { type CborValue, decodeCbor, decodeCborFirst, isCborMap } from "../cbor/index.ts";
import { type Hash, sha256 } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { bundleFormat, memberHead, trailerLength } from "./layout.ts";
import { listFromTheEnd } from "./list-from-the-end.ts";
import { type Member, type MemberPlace, type MemberType, memberTypeName, memberTypes, placeOf } from "./member.ts";
import { type Question, questionFromCbor } from "./question.ts";
import { comparePlaces } from "./write.ts";

export interface Bundle {
  readonly question: Question;
  readonly members: readonly BundleMember[];
}

export interface BundleMember extends Member {
  /** Offset in the file of the first byte of its content. */
  readonly offset: number;
  readonly digest: Hash;
  /** What it was sorted by. */
  readonly place: MemberPlace;
}

/** A member as it is framed in the file, before its content is read. */
interface Framed extends Member {
  /** Offset of the byte that its frame begins with. */
  readonly start: number;
  readonly offset: number;
  readonly digest: Hash;
}

/** Why a file is not an intact bundle, with the byte offset where it first shows. */
export class BundleDamage extends EvidenceError {
  readonly offset: number;
  /** What stands at the offset: "header", "member 12 (entries)", "member list", "trailer". */
  readonly where: string;

  constructor(where: string, offset: number, what: string, cause?: unknown) {
    super("bundle-damaged", `${where} at byte ${offset}: ${what}`, {
      cause,
      hint: "the file was altered or cut after it was written: fetch it again, or ask its sender for another copy",
    });
    this.where = where;
    this.offset = offset;
  }
}

const knownTypes: ReadonlySet<number> = new Set(Object.values(memberTypes));

/**
 * Reads a bundle and checks that it is canonical and whole: framing, order, the member list, the trailer. What the
 * members prove is for `verifyBundle` to say.
 *
 * @throws BundleDamage naming the first member that differs and its offset.
 */
export function readBundle(file: Uint8Array): Bundle {
  const end = Math.max(file.length - trailerLength, 0);
  const header = readHeader(file.subarray(0, end));
  const members = readFrames(file, header.end, end);
  // The list speaks for every member and is canonical itself, so what is left to differ is the header or the trailer.
  if (!equalBytes(sha256(file.subarray(0, end)), file.subarray(end))) {
    throw new BundleDamage("header or trailer", 0, "the trailer is not the SHA-256 of the bytes before it");
  }
  return { question: header.question, members: readContents(members) };
}

/** The members, each as the member list says. */
function readFrames(file: Uint8Array, start: number, end: number): readonly Framed[] {
  const members: Framed[] = [];
  let offset = start;
  try {
    while (offset < end && file[offset] === 0x82 && !isListHead(file, offset)) {
      const member = readMember(file, offset, end, members.length);
      members.push(member);
      offset = member.offset + member.bytes.length;
    }
    const list = readList(file, offset, end);
    for (const [i, member] of members.entries()) compareWithList(member, i, list[i]);
    if (list.length !== members.length) {
      throw new BundleDamage(
        "member list",
        offset,
        `it names ${list.length} members, the file holds ${members.length}`,
      );
    }
    return members;
  } catch (error) {
    // Where a length was changed, the way through the file is lost behind it. The list at the end still knows it.
    const found = firstDifference(file, start, end);
    if (found !== undefined || members.length > 0) throw found ?? error;
    throw new BundleDamage("header", 0, "no members and no member list stand behind it", error);
  }
}

/** The first member that is not as the list at the end of the file says, if that list can be found. */
function firstDifference(file: Uint8Array, start: number, end: number): BundleDamage | undefined {
  const found = listFromTheEnd(file, start, end);
  if (found === undefined) return undefined;
  const heads = found.items.map(({ type, length }) => memberHead(type, length));
  const total = found.items.reduce((sum, { length }, i) => sum + heads[i]!.length + length, 0);
  let at = start;
  for (const [i, { type, length, digest }] of found.items.entries()) {
    const head = heads[i]!;
    const content = file.subarray(at + head.length, at + head.length + length);
    if (!equalBytes(file.subarray(at, at + head.length), head) || !equalBytes(sha256(content), digest)) {
      // With a first member that is whole where the list puts it, it was the header that changed its length.
      const shifted =
        i === 0 && start + total !== found.start && intact(file, found.start - total, head, digest, length);
      if (shifted)
        return new BundleDamage("header", 0, "it is shorter or longer than it was when the file was written");
      return new BundleDamage(`member ${i} (${memberTypeName(type)})`, at, "it is not what the member list says");
    }
    at += head.length + length;
  }
  return undefined;
}

function intact(file: Uint8Array, at: number, head: Uint8Array, digest: Hash, length: number): boolean {
  if (at < 0 || !equalBytes(file.subarray(at, at + head.length), head)) return false;
  return equalBytes(sha256(file.subarray(at + head.length, at + head.length + length)), digest);
}

function readHeader(body: Uint8Array): { question: Question; end: number } {
  try {
    const { value, end } = decodeCborFirst(body);
    if (!isCborMap(value) || value.size !== 2 || value.get(0) !== bundleFormat) {
      throw new EvidenceError("bundle-invalid", `it does not begin as a ${bundleFormat}`);
    }
    return { question: questionFromCbor(value.get(1)!), end };
  } catch (cause) {
    throw new BundleDamage("header", 0, "it does not parse as the header of an evidence bundle", cause);
  }
}

// A list of exactly two members would also begin with 0x82, but goes on with 0x83, a member's entry in the list.
function isListHead(file: Uint8Array, offset: number): boolean {
  return file[offset + 1] === 0x83;
}

function readMember(file: Uint8Array, start: number, end: number, position: number): Framed {
  const type = file[start + 1]!;
  const where = `member ${position} (${memberTypeName(type)})`;
  if (!knownTypes.has(type)) throw new BundleDamage(where, start, "this version knows no such type of member");
  const length = byteStringLength(file, start + 2);
  if (length === undefined) throw new BundleDamage(where, start, "no byte string stands here");
  const offset = start + memberHead(type, length).length;
  if (offset + length > end) throw new BundleDamage(where, start, `its length ${length} runs past the end of the file`);
  const bytes = file.subarray(offset, offset + length);
  return { type: type as MemberType, bytes, start, offset, digest: sha256(bytes) };
}

/** The length in a byte string's head, if it is there in its shortest form. */
function byteStringLength(file: Uint8Array, at: number): number | undefined {
  const first = file[at];
  if (first === undefined || first >> 5 !== 2) return undefined;
  const short = first & 0x1f;
  if (short < 24) return short;
  const width = { 24: 1, 25: 2, 26: 4 }[short];
  if (width === undefined || at + 1 + width > file.length) return undefined;
  let length = 0;
  for (let i = 0; i < width; i += 1) length = length * 256 + file[at + 1 + i]!;
  const least = { 1: 24, 2: 0x100, 4: 0x10000 }[width]!;
  return length < least ? undefined : length;
}

function readList(file: Uint8Array, start: number, end: number): readonly CborValue[] {
  try {
    const value = decodeCbor(file.subarray(start, Math.max(end, start)));
    if (!Array.isArray(value)) throw new EvidenceError("bundle-invalid", "it is not a list");
    return value;
  } catch (cause) {
    throw new BundleDamage("member list", start, "neither a member nor the member list stands here", cause);
  }
}

function compareWithList(member: Framed, position: number, listed: CborValue | undefined): void {
  const where = `member ${position} (${memberTypeName(member.type)})`;
  if (!Array.isArray(listed)) throw new BundleDamage(where, member.start, "the member list does not name it");
  const [type, length, digest, ...more] = listed as CborValue[];
  const same =
    type === member.type && length === member.bytes.length && digest instanceof Uint8Array && more.length === 0;
  if (!same || !equalBytes(digest as Uint8Array, member.digest)) {
    throw new BundleDamage(where, member.start, "it is not what the member list says");
  }
}

function readContents(members: readonly Framed[]): readonly BundleMember[] {
  let before: { type: number; origin: Uint8Array; index: number; digest: Uint8Array } | undefined;
  return members.map((member, i) => {
    const { type, bytes, start, offset, digest } = member;
    try {
      const place = placeOf(member);
      const sortedBy = { type, origin: utf8(place.origin), index: place.index, digest };
      if (before !== undefined && comparePlaces(before, sortedBy) >= 0) {
        throw new EvidenceError("bundle-invalid", "members are not in their order, or one is there twice");
      }
      before = sortedBy;
      return { type, bytes, offset, digest, place };
    } catch (cause) {
      const what = cause instanceof Error ? cause.message : String(cause);
      throw new BundleDamage(`member ${i} (${memberTypeName(type)})`, start, what, cause);
    }
  });
}
