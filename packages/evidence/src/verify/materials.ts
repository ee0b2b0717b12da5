import { type Bundle, type BundleMember, type MemberType, memberTypeName, memberTypes } from "../bundle/index.ts";
import { type Digest, digestFromHash } from "../digest.ts";
import type { Checklist } from "./check.ts";

/**
 * A bundle's members, found by type or digest. Whatever a check takes is marked as used; what nothing used does not
 * belong in the bundle, and its presence is a failure (evidence.md 10).
 */
export class Materials {
  readonly #byType = new Map<MemberType, BundleMember[]>();
  readonly #byDigest = new Map<Digest, BundleMember>();
  readonly #unused: Set<BundleMember>;
  readonly #used: ((member: BundleMember) => void) | undefined;

  /** `used` is told of each member when it is used for the first time. */
  constructor(bundle: Bundle, used?: (member: BundleMember) => void) {
    this.#unused = new Set(bundle.members);
    this.#used = used;
    for (const member of bundle.members) {
      const same = this.#byType.get(member.type);
      if (same === undefined) this.#byType.set(member.type, [member]);
      else same.push(member);
      this.#byDigest.set(digestFromHash(member.digest), member);
    }
  }

  /** All members of a type, in the bundle's order, without marking them. */
  list(type: MemberType): readonly BundleMember[] {
    return this.#byType.get(type) ?? [];
  }

  /** The member of that type whose bytes have that SHA-256. */
  find(type: MemberType, digest: Digest): BundleMember | undefined {
    const member = this.#byDigest.get(digest);
    return member?.type === type ? member : undefined;
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

export { memberTypes };
