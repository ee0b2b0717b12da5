import { compareBytes, concatBytes, utf8 } from "../bytes.ts";
import { type CborValue, encodeCbor } from "../cbor/index.ts";
import { type Hash, sha256 } from "../digest.ts";
import { bundleFormat, memberHead } from "./layout.ts";
import { type Member, placeOf } from "./member.ts";
import { type Question, questionToCbor } from "./question.ts";

interface Placed extends Member {
  readonly origin: Uint8Array;
  readonly index: number;
  readonly digest: Hash;
}

/** Writes a bundle: the same question and members give the same bytes, in whatever order the members come. */
export function writeBundle(question: Question, members: Iterable<Member>): Uint8Array {
  const header = encodeCbor(
    new Map<number, CborValue>([
      [0, bundleFormat],
      [1, questionToCbor(question)],
    ]),
  );
  const sorted = sortMembers(members);
  const parts: Uint8Array[] = [header];
  const list: CborValue[] = [];
  for (const { type, bytes, digest } of sorted) {
    parts.push(memberHead(type, bytes.length), bytes);
    list.push([type, bytes.length, digest]);
  }
  parts.push(encodeCbor(list));
  parts.push(sha256(...parts));
  return concatBytes(...parts);
}

function sortMembers(members: Iterable<Member>): Placed[] {
  const placed = Array.from(members, (member): Placed => {
    const { origin, index } = placeOf(member);
    return { ...member, origin: utf8(origin), index, digest: sha256(member.bytes) };
  }).sort(comparePlaces);
  return placed.filter((member, i) => i === 0 || comparePlaces(placed[i - 1]!, member) !== 0);
}

export function comparePlaces(
  a: { type: number; origin: Uint8Array; index: number; digest: Uint8Array },
  b: { type: number; origin: Uint8Array; index: number; digest: Uint8Array },
): number {
  return a.type - b.type || compareBytes(a.origin, b.origin) || a.index - b.index || compareBytes(a.digest, b.digest);
}
