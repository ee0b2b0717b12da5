import {
  encodeHeadLeaf,
  type Hash,
  type HeadLeaf,
  hashLeaf,
  headsLeafMember,
  inclusionRanges,
  type Member,
  proofFromRanges,
  rootOf,
} from "@tally/evidence";
import type { AuditSource } from "./source.ts";

/** The tree of one `heads` entry, hashed once, for answers that prove the leaves of many ledgers in it. */
export class HeadsTree {
  readonly heads: number;
  readonly #leaves: readonly HeadLeaf[];
  readonly #encoded: readonly Uint8Array[];
  /** Roots of the perfect subtrees, by level; level 0 are the leaf hashes. */
  readonly #levels: readonly (readonly Hash[])[];
  readonly #positions: ReadonlyMap<string, number>;

  constructor(heads: number, leaves: readonly HeadLeaf[]) {
    this.heads = heads;
    this.#leaves = leaves;
    this.#encoded = leaves.map((leaf) => encodeHeadLeaf(leaf));
    this.#positions = new Map(leaves.map(({ origin }, position) => [origin, position]));
    const levels: Hash[][] = [this.#encoded.map((leaf) => hashLeaf(leaf))];
    for (let below = levels[0]!; below.length > 1; below = levels.at(-1)!) {
      const pairs = Array.from({ length: Math.floor(below.length / 2) }, (_, i) => below.slice(2 * i, 2 * i + 2));
      levels.push(pairs.map((pair) => rootOf(pair)));
    }
    this.#levels = levels;
  }

  /** The ledger's leaf; undefined where it was not admitted yet. */
  leaf(origin: string): HeadLeaf | undefined {
    const position = this.#positions.get(origin);
    return position === undefined ? undefined : this.#leaves[position];
  }

  /** The ledger's leaf with its path. The ledger has to have one. */
  async member(origin: string): Promise<Member> {
    const position = this.#positions.get(origin)!;
    const ranges = inclusionRanges(position, this.#leaves.length);
    const proof = await proofFromRanges(ranges, (level, index) => this.#levels[level]![index]!);
    return headsLeafMember({ heads: this.heads, position, leaf: this.#encoded[position]!, proof });
  }
}

/** The trees of one answer: heads of many ledgers are shown in the same few. */
export class HeadsTrees {
  readonly #source: AuditSource;
  readonly #trees = new Map<number, Promise<HeadsTree>>();

  constructor(source: AuditSource) {
    this.#source = source;
  }

  of(heads: number): Promise<HeadsTree> {
    const known = this.#trees.get(heads);
    if (known !== undefined) return known;
    const tree = this.#source.headsLeaves(heads).then((leaves) => new HeadsTree(heads, leaves));
    this.#trees.set(heads, tree);
    return tree;
  }
}
