import { concatBytes, equalBytes } from "../bytes.ts";
import { type CborValue, decodeCbor, encodeCbor } from "../cbor/index.ts";
import { EvidenceError } from "../error.ts";
import { type ByteSource, readExactly } from "./byte-source.ts";
import { BundleDamage } from "./damage.ts";
import type { Framed } from "./indexed-member.ts";
import { cborHead } from "./layout.ts";
import { memberTypeName } from "./member.ts";
import type { ReadWindow } from "./read-window.ts";

/** Items that are compared at a time. */
const stretch = 4096;
/** A longer list that is wrong is not read to say how. */
const maxExplainedBytes = 64 * 1024 * 1024;

/**
 * Checks that [offset, end) is the list of these members. A list has one form, so it is compared with what it has to be,
 * and read only where that differs.
 *
 * @throws BundleDamage naming the first member that the list does not have so, or the list
 */
export async function checkMemberList(
  members: readonly Framed[],
  source: ByteSource,
  window: ReadWindow,
  offset: number,
  end: number,
): Promise<void> {
  let at = offset;
  const take = async (expected: Uint8Array): Promise<boolean> => {
    const found = await window.at(at, expected.length);
    at += expected.length;
    return equalBytes(found, expected);
  };
  let same = await take(cborHead(4, members.length));
  for (let i = 0; same && i < members.length; i += stretch) {
    const items = members.slice(i, i + stretch).map(({ type, length, digest }) => encodeCbor([type, length, digest]));
    same = await take(concatBytes(...items));
  }
  if (!same || at !== end) await explain(members, source, offset, end);
}

async function explain(members: readonly Framed[], source: ByteSource, offset: number, end: number): Promise<never> {
  const list = await readList(source, offset, Math.max(end, offset));
  for (const [i, member] of members.entries()) compareWithList(member, i, list[i]);
  const what = `it names ${list.length} members, the file holds ${members.length}`;
  throw new BundleDamage("member list", offset, what);
}

async function readList(source: ByteSource, start: number, end: number): Promise<readonly CborValue[]> {
  const none = (cause?: unknown) =>
    new BundleDamage("member list", start, "neither a member nor the member list stands here", cause);
  if (end - start > maxExplainedBytes) throw none();
  const bytes = await readExactly(source, start, end - start);
  try {
    const value = decodeCbor(bytes);
    if (!Array.isArray(value)) throw new EvidenceError("bundle-invalid", "it is not a list");
    return value;
  } catch (cause) {
    throw none(cause);
  }
}

function compareWithList(member: Framed, position: number, listed: CborValue | undefined): void {
  const where = `member ${position} (${memberTypeName(member.type)})`;
  if (!Array.isArray(listed)) throw new BundleDamage(where, member.start, "the member list does not name it");
  const [type, length, digest, ...more] = listed as CborValue[];
  const same = type === member.type && length === member.length && digest instanceof Uint8Array && more.length === 0;
  if (!same || !equalBytes(digest as Uint8Array, member.digest)) {
    throw new BundleDamage(where, member.start, "it is not what the member list says");
  }
}
