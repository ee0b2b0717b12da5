import { equalBytes, utf8 } from "../bytes.ts";
import { type CborValue, decodeCbor, decodeCborFirst, isCborMap } from "../cbor/index.ts";
import { type Hash, sha256 } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { bundleFormat, memberHead, trailerLength } from "./layout.ts";
import { type Member, type MemberType, memberTypeName, memberTypes, placeOf } from "./member.ts";
import { type Question, questionFromCbor } from "./question.ts";
import { comparePlaces } from "./write.ts";

export interface Bundle {
  readonly question: Question;
  readonly members: readonly BundleMember[];
}

export interface BundleMember extends Member {
  /** Offset in the file of the member's first byte. */
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
  const end = file.length - trailerLength;
  const trailer = file.subarray(Math.max(end, 0));
  const header = readHeader(file.subarray(0, Math.max(end, 0)));
  const intact = end > 0 && equalBytes(sha256(file.subarray(0, end)), trailer);

  const members: BundleMember[] = [];
  let offset = header.end;
  while (offset < end && file[offset] === 0x82 && !isListHead(file, offset)) {
    const member = readMember(file, offset, end, members.length);
    members.push(member);
    offset = member.offset + member.bytes.length;
  }
  const list = readList(file, offset, end);
  for (const [i, member] of members.entries()) compareWithList(member, i, list[i]);
  if (list.length !== members.length) {
    throw new BundleDamage("member list", offset, `it names ${list.length} members, the file holds ${members.length}`);
  }
  if (!intact) throw new BundleDamage("trailer", end, "it is not the SHA-256 of the bytes before it");
  checkOrder(members);
  return { question: header.question, members };
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

function readMember(file: Uint8Array, start: number, end: number, position: number): BundleMember {
  const type = file[start + 1]!;
  const where = `member ${position} (${memberTypeName(type)})`;
  if (!knownTypes.has(type)) throw new BundleDamage(where, start + 1, "this version knows no such type of member");
  const length = byteStringLength(file, start + 2);
  if (length === undefined) throw new BundleDamage(where, start + 2, "no byte string stands here");
  const offset = start + memberHead(type, length).length;
  if (offset + length > end)
    throw new BundleDamage(where, start + 2, `its length ${length} runs past the end of the file`);
  const bytes = file.subarray(offset, offset + length);
  return { type: type as MemberType, bytes, offset, digest: sha256(bytes) };
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

function compareWithList(member: BundleMember, position: number, listed: CborValue | undefined): void {
  const where = `member ${position} (${memberTypeName(member.type)})`;
  if (!Array.isArray(listed)) throw new BundleDamage(where, member.offset, "the member list does not name it");
  const [type, length, digest, ...more] = listed as CborValue[];
  const same =
    type === member.type && length === member.bytes.length && digest instanceof Uint8Array && more.length === 0;
  if (!same || !equalBytes(digest as Uint8Array, member.digest)) {
    throw new BundleDamage(where, member.offset, "it is not what the member list says");
  }
}

function checkOrder(members: readonly BundleMember[]): void {
  let before: { type: number; origin: Uint8Array; index: number; digest: Uint8Array } | undefined;
  members.forEach((member, i) => {
    const where = `member ${i} (${memberTypeName(member.type)})`;
    try {
      const { origin, index } = placeOf(member);
      const place = { type: member.type, origin: utf8(origin), index, digest: member.digest };
      if (before !== undefined && comparePlaces(before, place) >= 0) {
        throw new EvidenceError("bundle-invalid", "members are not in their order, or one is there twice");
      }
      before = place;
    } catch (cause) {
      throw new BundleDamage(where, member.offset, cause instanceof Error ? cause.message : String(cause), cause);
    }
  });
}
