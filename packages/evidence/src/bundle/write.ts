import { concatBytes, utf8 } from "../bytes.ts";
import { type CborValue, encodeCbor } from "../cbor/index.ts";
import { beginSha256, type Hash, sha256 } from "../digest.ts";
import { comparePlaces } from "./index-bundle.ts";
import { bundleFormat, cborHead, memberHead } from "./layout.ts";
import { entriesMember, type Member, memberTypes, placeOf, sliceLength } from "./member.ts";
import { type Question, questionToCbor } from "./question.ts";

/** Consecutive entries [from, to) of one log, which are read when it is their turn. */
export interface EntriesToCome {
  readonly origin: string;
  readonly from: number;
  readonly to: number;
  read(from: number, to: number): AsyncIterable<Uint8Array>;
}

interface Placed {
  readonly type: number;
  readonly origin: Uint8Array;
  readonly index: number;
  readonly digest: Uint8Array;
}

interface PlacedMember extends Placed {
  readonly bytes: Uint8Array;
  readonly digest: Hash;
}

interface PlacedEntries extends Placed {
  readonly entries: EntriesToCome;
}

/** Writes a bundle: the same question and members give the same bytes, in whatever order the members come. */
export function writeBundle(question: Question, members: Iterable<Member>): Uint8Array {
  const writing = new Writing();
  const parts = [writing.begin(question)];
  for (const { type, bytes, digest } of sortMembers(members)) parts.push(...writing.member(type, bytes, digest));
  parts.push(...writing.end());
  return concatAll(parts);
}

/**
 * Writes a bundle of any length, piece by piece: it holds the members that are given, and of entries to come one member at a
 * time. The bytes are those that `writeBundle` gives for all of them.
 *
 * @throws what reading the entries throws; RangeError if a log has fewer of them than it should
 */
export async function* streamBundle(
  question: Question,
  members: Iterable<Member>,
  toCome: Iterable<EntriesToCome>,
): AsyncGenerator<Uint8Array> {
  const writing = new Writing();
  yield writing.begin(question);
  const none = new Uint8Array();
  const later = Array.from(toCome, (entries): PlacedEntries => {
    return { type: memberTypes.entries, origin: utf8(entries.origin), index: entries.from, digest: none, entries };
  });
  for (const placed of [...sortMembers(members), ...later].sort(comparePlaces)) {
    if ("bytes" in placed) yield concatBytes(...writing.member(placed.type, placed.bytes, placed.digest));
    else {
      for await (const { type, bytes } of slicesOf(placed.entries)) {
        yield concatBytes(...writing.member(type, bytes, sha256(bytes)));
      }
    }
  }
  yield concatBytes(...writing.end());
}

async function* slicesOf({ origin, from, to, read }: EntriesToCome): AsyncGenerator<Member> {
  let at = from;
  let items: Uint8Array[] = [];
  for await (const entry of read(from, to)) {
    items.push(entry);
    at += 1;
    if (items.length < sliceLength && at < to) continue;
    yield entriesMember({ origin, from: at - items.length, items });
    items = [];
  }
  if (at !== to) throw new RangeError(`${origin} has no entries from ${at} to ${to}`);
}

/** What goes into the list and the trailer while members are written. */
class Writing {
  readonly #running = beginSha256();
  readonly #items: Uint8Array[] = [];

  begin(question: Question): Uint8Array {
    const header = new Map<number, CborValue>([
      [0, bundleFormat],
      [1, questionToCbor(question)],
    ]);
    return this.#hashed(encodeCbor(header));
  }

  member(type: number, bytes: Uint8Array, digest: Hash): readonly Uint8Array[] {
    this.#items.push(encodeCbor([type, bytes.length, digest]));
    return [this.#hashed(memberHead(type, bytes.length)), this.#hashed(bytes)];
  }

  end(): readonly Uint8Array[] {
    const list = concatAll([cborHead(4, this.#items.length), ...this.#items]);
    return [this.#hashed(list), this.#running.digest()];
  }

  #hashed(bytes: Uint8Array): Uint8Array {
    this.#running.update(bytes);
    return bytes;
  }
}

// By hand, because a fleet's answer has more parts than a call may have arguments.
function concatAll(parts: readonly Uint8Array[]): Uint8Array {
  const file = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

function sortMembers(members: Iterable<Member>): PlacedMember[] {
  const placed = Array.from(members, (member): PlacedMember => {
    const { origin, index } = placeOf(member);
    return { ...member, origin: utf8(origin), index, digest: sha256(member.bytes) };
  }).sort(comparePlaces);
  return placed.filter((member, i) => i === 0 || comparePlaces(placed[i - 1]!, member) !== 0);
}
