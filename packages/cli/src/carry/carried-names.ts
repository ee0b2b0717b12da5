import type { Digest, NamedDigest } from "@tally/evidence";

/** What a manifest is in an export. */
export type CarriedRole = "model" | "base" | "attached" | "segment" | "evidence";

/** Names for the manifests of an export, such as `tiny/segment/3`: what an inventory calls them. */
export class CarriedNames {
  readonly #names = new Map<Digest, string>();
  readonly #counts = new Map<string, number>();

  /** A manifest keeps the first name that it is given. */
  add(repository: string, role: CarriedRole, digests: Iterable<Digest>): void {
    for (const digest of digests) {
      if (this.#names.has(digest)) continue;
      const kind = `${repository}/${role}`;
      const number = (this.#counts.get(kind) ?? 0) + 1;
      this.#counts.set(kind, number);
      this.#names.set(digest, `${kind}/${number}`);
    }
  }

  /** In the order in which they were named. */
  all(): readonly NamedDigest[] {
    return [...this.#names].map(([digest, name]) => ({ name, digest }));
  }
}
