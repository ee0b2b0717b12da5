import { compareBytes, equalBytes, utf8 } from "../bytes.ts";
import { decodeCborFirst, isCborMap } from "../cbor/index.ts";
import { beginSha256, type Hash, sha256 } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { type ByteSource, readExactly } from "./byte-source.ts";
import { BundleDamage } from "./damage.ts";
import { EntriesView } from "./entries-view.ts";
import { firstDifference } from "./first-difference.ts";
import type { Framed, IndexedMember } from "./indexed-member.ts";
import { bundleFormat, memberHead, trailerLength } from "./layout.ts";
import { type MemberPlace, type MemberType, memberTypeName, memberTypes, placeOf } from "./member.ts";
import { checkMemberList } from "./member-list.ts";
import { type Question, questionFromCbor } from "./question.ts";
import { ReadWindow } from "./read-window.ts";

/** A bundle that was checked to be canonical and whole, and whose members are read when they are needed. */
export interface BundleIndex {
  readonly question: Question;
  readonly members: readonly IndexedMember[];
  readonly source: ByteSource;
}

const knownTypes: ReadonlySet<number> = new Set(Object.values(memberTypes));

/** The longest member that is read: 256 entries of the greatest length have 16 MiB, and a verdict is far below that. */
const maxMemberBytes = 64 * 1024 * 1024;
const headerBytes = [64 * 1024, 16 * 1024 * 1024];

/**
 * Reads a bundle from its beginning to its end, once, and checks that it is canonical and whole: framing, order, the member
 * list, the trailer. It keeps where each member is, and no content. What the members prove is for `verifyBundle` to say.
 *
 * @param onRead is told how many of the file's bytes have been read so far
 * @throws BundleDamage naming the first member that differs and its offset; what `source` throws
 */
export async function indexBundle(source: ByteSource, onRead?: (bytes: number) => void): Promise<BundleIndex> {
  const end = Math.max(source.size - trailerLength, 0);
  const header = await readHeader(source, end);
  const running = beginSha256();
  let hashed = 0;
  const window = new ReadWindow(source, end, (bytes, offset) => {
    running.update(bytes.subarray(hashed - offset));
    hashed = offset + bytes.length;
    onRead?.(hashed);
  });
  await window.at(0, header.end);
  const content = new ContentChecks();
  const members = await readFrames(source, window, header.end, end, content);
  // The list speaks for every member and is canonical itself, so what is left to differ is the header or the trailer.
  if (!equalBytes(running.digest(), await readExactly(source, end, source.size - end))) {
    throw new BundleDamage("header or trailer", 0, "the trailer is not the SHA-256 of the bytes before it");
  }
  if (content.damage !== undefined) throw content.damage;
  onRead?.(source.size);
  return { question: header.question, members: members as readonly IndexedMember[], source };
}

/** The members, each as the member list says. */
async function readFrames(
  source: ByteSource,
  window: ReadWindow,
  start: number,
  end: number,
  content: ContentChecks,
): Promise<readonly Framed[]> {
  const members: Framed[] = [];
  try {
    let offset = start;
    for (;;) {
      const head = window.held(offset, longestHead) ?? (await window.at(offset, longestHead));
      // A list of exactly two members would also begin with 0x82, but goes on with 0x83, a member's entry in the list.
      if (head[0] !== 0x82 || head[1] === 0x83) break;
      const member = await readMember(window, head, offset, end, members.length, content);
      members.push(member);
      offset = member.offset + member.length;
    }
    await checkMemberList(members, source, window, offset, end);
    return members;
  } catch (error) {
    if (!(error instanceof BundleDamage)) throw error;
    const found = await firstDifference(source, start, end);
    if (found !== undefined || members.length > 0) throw found ?? error;
    throw new BundleDamage("header", 0, "no members and no member list stand behind it", error);
  }
}

/** `82 <type> 5a <four bytes>` */
const longestHead = 7;

async function readMember(
  window: ReadWindow,
  head: Uint8Array,
  start: number,
  end: number,
  position: number,
  content: ContentChecks,
): Promise<Framed> {
  const type = head[1] as MemberType;
  const where = `member ${position} (${memberTypeName(type)})`;
  if (!knownTypes.has(type)) throw new BundleDamage(where, start, "this version knows no such type of member");
  const length = byteStringLength(head, 2);
  if (length === undefined) throw new BundleDamage(where, start, "no byte string stands here");
  const offset = start + memberHead(type, length).length;
  if (offset + length > end) throw new BundleDamage(where, start, `its length ${length} runs past the end of the file`);
  if (length > maxMemberBytes)
    throw new BundleDamage(where, start, `no member has ${length} bytes: the most are ${maxMemberBytes}`);
  const bytes = window.held(offset, length) ?? (await window.at(offset, length));
  const digest = sha256(bytes);
  return { type, start, offset, length, digest, place: content.check(type, bytes, digest, position, start) };
}

/** The length in a byte string's head, if it is there in its shortest form. */
function byteStringLength(head: Uint8Array, at: number): number | undefined {
  const first = head[at];
  if (first === undefined || first >> 5 !== 2) return undefined;
  const short = first & 0x1f;
  if (short < 24) return short;
  const width = { 24: 1, 25: 2, 26: 4 }[short];
  if (width === undefined || at + 1 + width > head.length) return undefined;
  let length = 0;
  for (let i = 0; i < width; i += 1) length = length * 256 + head[at + 1 + i]!;
  const least = { 1: 24, 2: 0x100, 4: 0x10000 }[width]!;
  return length < least ? undefined : length;
}

/** Reads each member's place, and remembers the first that has none or a wrong one: other damage goes before it. */
class ContentChecks {
  readonly #view = new EntriesView();
  #before: { type: number; name: string; origin: Uint8Array; index: number; digest: Uint8Array } | undefined;
  damage: BundleDamage | undefined;

  check(type: MemberType, bytes: Uint8Array, digest: Hash, position: number, start: number): MemberPlace | undefined {
    if (this.damage !== undefined) return undefined;
    try {
      const place = this.#placeOf(type, bytes);
      const before = this.#before;
      const origin = before?.name === place.origin ? before.origin : utf8(place.origin);
      const own = { type, name: place.origin, origin, index: place.index, digest };
      if (before !== undefined && comparePlaces(before, own) >= 0) {
        throw new EvidenceError("bundle-invalid", "members are not in their order, or one is there twice");
      }
      this.#before = own;
      return place;
    } catch (cause) {
      const what = cause instanceof Error ? cause.message : String(cause);
      this.damage = new BundleDamage(`member ${position} (${memberTypeName(type)})`, start, what, cause);
      return undefined;
    }
  }

  #placeOf(type: MemberType, bytes: Uint8Array): MemberPlace {
    if (type !== memberTypes.entries) return placeOf({ type, bytes });
    this.#view.open(bytes);
    return { origin: this.#view.origin, index: this.#view.from };
  }
}

/** The order of members: by type, origin, index, and the digest of their content. */
export function comparePlaces(
  a: { type: number; origin: Uint8Array; index: number; digest: Uint8Array },
  b: { type: number; origin: Uint8Array; index: number; digest: Uint8Array },
): number {
  return a.type - b.type || compareBytes(a.origin, b.origin) || a.index - b.index || compareBytes(a.digest, b.digest);
}

/** Few headers are long: one that names devices has 17 bytes for each. */
async function readHeader(source: ByteSource, end: number): Promise<{ question: Question; end: number }> {
  let why: unknown;
  for (const most of headerBytes) {
    const bytes = await readExactly(source, 0, Math.min(most, end));
    try {
      return parseHeader(bytes);
    } catch (error) {
      why = error;
    }
    if (end <= most) break;
  }
  throw new BundleDamage("header", 0, "it does not parse as the header of an evidence bundle", why);
}

function parseHeader(bytes: Uint8Array): { question: Question; end: number } {
  const { value, end } = decodeCborFirst(bytes);
  if (!isCborMap(value) || value.size !== 2 || value.get(0) !== bundleFormat) {
    throw new EvidenceError("bundle-invalid", `it does not begin as a ${bundleFormat}`);
  }
  return { question: questionFromCbor(value.get(1)!), end };
}
