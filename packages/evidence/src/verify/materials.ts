import {
  type BundleIndex,
  type BundleMember,
  type IndexedMember,
  type MemberType,
  memberTypeName,
  memberTypes,
  parseConsistency,
  readMembers,
  viewMembers,
} from "../bundle/index.ts";
import { type Digest, digestFromHash, type Hash } from "../digest.ts";
import type { Checklist } from "./check.ts";

export interface ConsistencyProof {
  readonly member: BundleMember;
  readonly proof: readonly Hash[];
}

/** What belongs to one log or ledger, is looked at with it, and is let go after it. Entries are never held at all. */
const ofOneLog: ReadonlySet<MemberType> = new Set([
  memberTypes.consistency,
  memberTypes.deviceCheckpoint,
  memberTypes.entries,
  memberTypes.rangeProof,
  memberTypes.deviceEntry,
  memberTypes.sparseEntries,
]);

/** What may be most of a bundle: it is gone through, and never held. */
const records: ReadonlySet<MemberType> = new Set([memberTypes.entries, memberTypes.sparseEntries]);

/**
 * A bundle's members, found by type, origin or digest. Their content is read when it is its turn: what all checks share at
 * first, what belongs to one ledger with that ledger, and entries a slice at a time. Whatever a check takes is marked as
 * used; what nothing used does not belong in the bundle, and its presence is a failure (evidence.md 10).
 */
export class Materials {
  readonly #index: BundleIndex;
  readonly #byType = new Map<MemberType, IndexedMember[]>();
  readonly #byOrigin = new Map<string, IndexedMember[]>();
  readonly #byDigest = new Map<string, IndexedMember>();
  readonly #proofs = new Map<string, Map<string, ConsistencyProof>>();
  readonly #loaded = new Map<number, BundleMember>();
  readonly #unused: Map<number, IndexedMember>;
  readonly #used: ((member: IndexedMember) => void) | undefined;

  /** `used` is told of each member when it is used for the first time. */
  constructor(index: BundleIndex, used?: (member: IndexedMember) => void) {
    this.#index = index;
    this.#unused = new Map(index.members.map((member) => [member.offset, member]));
    this.#used = used;
    for (const member of index.members) {
      const { type, digest, place } = member;
      addTo(this.#byType, type, member);
      if (ofOneLog.has(type)) addTo(this.#byOrigin, `${type} ${place.origin}`, member);
      if (!records.has(type)) this.#byDigest.set(`${type} ${digestFromHash(digest)}`, member);
    }
  }

  /** Reads what all checks share: checkpoints and entries of the plane, heads, statements, blobs. */
  async loadShared(): Promise<void> {
    await this.#load(this.#index.members.filter(({ type }) => !ofOneLog.has(type)));
  }

  /** Reads the proofs and notes of one log. */
  async load(origin: string): Promise<void> {
    for (const type of ofOneLog) if (!records.has(type)) await this.#load(this.#placed(type, origin));
  }

  /** Lets them go. */
  release(origin: string): void {
    for (const type of ofOneLog) for (const { offset } of this.#placed(type, origin)) this.#loaded.delete(offset);
    this.#proofs.delete(origin);
  }

  /** All members of a type, in the bundle's order, without marking them. */
  list(type: MemberType): readonly BundleMember[] {
    return (this.#byType.get(type) ?? []).map((member) => this.#held(member));
  }

  /** Members of a type that are sorted under that origin, by index, without marking them. */
  of(type: MemberType, origin: string): readonly BundleMember[] {
    return this.#placed(type, origin).map((member) => this.#held(member));
  }

  /** The slices of a log's entries, by index. */
  slices(origin: string): readonly IndexedMember[] {
    return this.#placed(memberTypes.entries, origin);
  }

  /** The entries of a log that are proven a package at a time, by their first index. */
  sparse(origin: string): readonly IndexedMember[] {
    return this.#placed(memberTypes.sparseEntries, origin);
  }

  /** The content of slices, one after another; the bytes are valid until the next is asked for. */
  view(slices: readonly IndexedMember[]): AsyncGenerator<{ member: IndexedMember; bytes: Uint8Array }> {
    return viewMembers(this.#index.source, slices);
  }

  /** The member of that type whose bytes have that SHA-256. */
  find(type: MemberType, digest: Digest): BundleMember | undefined {
    const found = this.#byDigest.get(`${type} ${digest}`);
    return found && this.#loaded.get(found.offset);
  }

  /** The proof that the log's tree of the larger size begins with that of the smaller one. */
  consistency(origin: string, smaller: number, larger: number): ConsistencyProof | undefined {
    let proofs = this.#proofs.get(origin);
    if (proofs === undefined) {
      proofs = new Map();
      for (const member of this.of(memberTypes.consistency, origin)) {
        const { smaller: from, larger: to, proof } = parseConsistency(member.bytes);
        proofs.set(`${from} ${to}`, { member, proof });
      }
      this.#proofs.set(origin, proofs);
    }
    return proofs.get(`${smaller} ${larger}`);
  }

  use(member: IndexedMember): void {
    if (this.#unused.delete(member.offset)) this.#used?.(member);
  }

  checkUnused(checklist: Checklist): void {
    const [first] = this.#unused.values();
    if (first === undefined) {
      checklist.good("nothing unused", "bundle", "every member was needed for the answer");
      return;
    }
    checklist.bad(
      "nothing unused",
      "bundle",
      `${this.#unused.size} members prove nothing that the question asks, the first a ${memberTypeName(first.type)} at byte ${first.offset}`,
    );
  }

  #placed(type: MemberType, origin: string): readonly IndexedMember[] {
    return this.#byOrigin.get(`${type} ${origin}`) ?? [];
  }

  async #load(members: readonly IndexedMember[]): Promise<void> {
    const missing = members.filter(({ offset }) => !this.#loaded.has(offset));
    if (missing.length === 0) return;
    for await (const member of readMembers(this.#index, missing)) this.#loaded.set(member.offset, member);
  }

  #held(member: IndexedMember): BundleMember {
    const held = this.#loaded.get(member.offset);
    if (held === undefined) throw new TypeError(`${memberTypeName(member.type)} ${member.place.origin} is not loaded`);
    return held;
  }
}

function addTo<Key>(lists: Map<Key, IndexedMember[]>, key: Key, member: IndexedMember): void {
  const same = lists.get(key);
  if (same === undefined) lists.set(key, [member]);
  else same.push(member);
}
