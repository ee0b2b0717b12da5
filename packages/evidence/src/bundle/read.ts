import { equalBytes } from "../bytes.ts";
import { sha256 } from "../digest.ts";
import { type ByteSource, bytesSource, sourceChanged } from "./byte-source.ts";
import { type BundleIndex, indexBundle } from "./index-bundle.ts";
import type { IndexedMember } from "./indexed-member.ts";
import type { Member } from "./member.ts";
import type { Question } from "./question.ts";
import { ReadWindow } from "./read-window.ts";

/** A bundle with all that it holds, in memory. */
export interface Bundle {
  readonly question: Question;
  readonly members: readonly BundleMember[];
}

/** A member with its content. */
export interface BundleMember extends IndexedMember, Member {}

/**
 * Reads a bundle with all its members into memory: for small ones. `indexBundle` reads one of any size.
 *
 * @throws BundleDamage naming the first member that differs and its offset.
 */
export async function readBundle(bundle: Uint8Array | ByteSource): Promise<Bundle> {
  const index = await indexBundle(bundle instanceof Uint8Array ? bytesSource(bundle) : bundle);
  return { question: index.question, members: await Array.fromAsync(readMembers(index, index.members)) };
}

/**
 * Reads members' content, in the file's order, a piece of the file at a time. Content is not shared with anything.
 *
 * @throws EvidenceError `source-changed` for a member that is no longer what it was when the bundle was indexed
 */
export async function* readMembers(
  { source }: BundleIndex,
  members: readonly IndexedMember[],
): AsyncGenerator<BundleMember> {
  for await (const { member, bytes } of viewMembers(source, members)) yield { ...member, bytes: bytes.slice() };
}

/** The same without a copy: the bytes are valid until the next member is asked for. */
export async function* viewMembers(
  source: ByteSource,
  members: readonly IndexedMember[],
): AsyncGenerator<{ member: IndexedMember; bytes: Uint8Array }> {
  const last = members.at(-1);
  const window = new ReadWindow(source, last === undefined ? 0 : last.offset + last.length);
  for (const member of members) {
    const bytes = window.held(member.offset, member.length) ?? (await window.at(member.offset, member.length));
    if (!equalBytes(sha256(bytes), member.digest)) throw sourceChanged(`the member at byte ${member.offset}`);
    yield { member, bytes };
  }
}
