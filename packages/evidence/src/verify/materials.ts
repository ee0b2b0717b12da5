import {
  type Bundle,
  type BundleMember,
  type MemberType,
  memberTypeName,
  memberTypes,
  parseConsistency,
} from "../bundle/index.ts";
import { type Digest, digestFromHash, type Hash } from "../digest.ts";
import type { Checklist } from "./check.ts";

export interface ConsistencyProof {
  readonly member: BundleMember;
  readonly proof: readonly Hash[];
}

/**
 * A bundle's members, found by type, origin or digest without reading any of them twice. Whatever a check takes is marked as used; what nothing used does not
 * belong in the bundle, and its presence is a failure (evidence.md 10).
 */
export class Materials {
  readonly #byType = new Map<MemberType, BundleMember[]>();
  readonly #byOrigin = new Map<string, BundleMember[]>();
  readonly #byDigest = new Map<string, BundleMember>();
  #proofs: Map<string, ConsistencyProof> | undefined;
  readonly #unused: Set<BundleMember>;
  readonly #used: ((member: BundleMember) => void) | undefined;

  /** `used` is told of each member when it is used for the first time. */
  constructor(bundle: Bundle, used?: (member: BundleMember) => void) {
    this.#unused = new Set(bundle.members);
    this.#used = used;
    for (const member of bundle.members) {
      const { type, digest, place } = member;
      addTo(this.#byType, type, member);
      addTo(this.#byOrigin, `${type} ${place.origin}`, member);
      this.#byDigest.set(`${type} ${digestFromHash(digest)}`, member);
    }
  }

  /** All members of a type, in the bundle's order, without marking them. */
  list(type: MemberType): readonly BundleMember[] {
    return this.#byType.get(type) ?? [];
  }

  /** Members of a type that are sorted under that origin, by index, without marking them. */
  of(type: MemberType, origin: string): readonly BundleMember[] {
    return this.#byOrigin.get(`${type} ${origin}`) ?? [];
  }

  /** The member of that type whose bytes have that SHA-256. */
  find(type: MemberType, digest: Digest): BundleMember | undefined {
    return this.#byDigest.get(`${type} ${digest}`);
  }

  /** The proof that the log's tree of the larger size begins with that of the smaller one. */
  consistency(origin: string, smaller: number, larger: number): ConsistencyProof | undefined {
    if (this.#proofs === undefined) {
      this.#proofs = new Map();
      for (const member of this.list(memberTypes.consistency)) {
        const { origin: of, smaller: from, larger: to, proof } = parseConsistency(member.bytes);
        this.#proofs.set(`${from} ${to} ${of}`, { member, proof });
      }
    }
    return this.#proofs.get(`${smaller} ${larger} ${origin}`);
  }

  use(member: BundleMember): void {
    if (this.#unused.delete(member)) this.#used?.(member);
  }

  checkUnused(checklist: Checklist): void {
    const [first] = this.#unused;
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
}

function addTo<Key>(lists: Map<Key, BundleMember[]>, key: Key, member: BundleMember): void {
  const same = lists.get(key);
  if (same === undefined) lists.set(key, [member]);
  else same.push(member);
}
