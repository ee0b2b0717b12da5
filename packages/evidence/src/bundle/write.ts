import { utf8 } from "../bytes.ts";
import { type CborValue, encodeCbor } from "../cbor/index.ts";
import { type Hash, sha256 } from "../digest.ts";
import { comparePlaces } from "./index-bundle.ts";
import { bundleFormat, memberHead, trailerLength } from "./layout.ts";
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
  return withTrailer(parts);
}

// By hand, because a fleet's answer has more parts than a call may have arguments.
function withTrailer(parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const file = new Uint8Array(length + trailerLength);
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  file.set(sha256(file.subarray(0, length)), length);
  return file;
}

function sortMembers(members: Iterable<Member>): Placed[] {
  const placed = Array.from(members, (member): Placed => {
    const { origin, index } = placeOf(member);
    return { ...member, origin: utf8(origin), index, digest: sha256(member.bytes) };
  }).sort(comparePlaces);
  return placed.filter((member, i) => i === 0 || comparePlaces(placed[i - 1]!, member) !== 0);
}
