import { asHash, asRootHash, type Hash, type RootHash } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { emptyRoot, hashNode } from "./hashing.ts";

/**
 * What is needed of a tree to append to it and to know its root: the hashes of the perfect subtrees that make it up,
 * left to right, one for each bit of its size.
 *
 *     size 7 = 0b111: [0,4) [4,6) [6,7)
 */
export class Frontier {
  #size: number;
  readonly #hashes: Hash[];

  private constructor(size: number, hashes: Hash[]) {
    this.#size = size;
    this.#hashes = hashes;
  }

  /** Of the tree without leaves. */
  static empty(): Frontier {
    return new Frontier(0, []);
  }

  /**
   * Of a tree whose frontier was kept or proven.
   *
   * @throws EvidenceError `range-invalid` if that size has another number of perfect subtrees
   */
  static from(size: number, hashes: readonly Hash[]): Frontier {
    const expected = countBits(size);
    if (hashes.length !== expected) {
      throw new EvidenceError(
        "range-invalid",
        `a tree of ${size} has ${expected} frontier hashes, not ${hashes.length}`,
      );
    }
    return new Frontier(size, hashes.map(asHash));
  }

  /** Number of leaves. */
  get size(): number {
    return this.#size;
  }

  /** The perfect subtrees' hashes, left to right; a copy. */
  get hashes(): Hash[] {
    return [...this.#hashes];
  }

  /** Adds a leaf. */
  append(leaf: Hash): void {
    this.appendSubtree(0, leaf);
  }

  /**
   * Adds a perfect subtree of 2^level leaves.
   *
   * @throws EvidenceError `range-invalid` unless the size is a multiple of 2^level
   */
  appendSubtree(level: number, hash: Hash): void {
    const width = 2 ** level;
    if (this.#size % width !== 0) {
      throw new EvidenceError("range-invalid", `a subtree of ${width} leaves cannot begin at ${this.#size}`);
    }
    let merged = hash;
    for (let above = this.#size / width; above % 2 === 1; above = (above - 1) / 2) {
      merged = hashNode(this.#hashes.pop()!, merged);
    }
    this.#hashes.push(merged);
    this.#size += width;
  }

  /** Root of the tree as it is now. */
  root(): RootHash {
    let root = this.#hashes.at(-1);
    if (root === undefined) return emptyRoot;
    for (let i = this.#hashes.length - 2; i >= 0; i--) root = hashNode(this.#hashes[i]!, root);
    return asRootHash(root);
  }

  /** One that grows apart from this one. */
  clone(): Frontier {
    return new Frontier(this.#size, [...this.#hashes]);
  }
}

/** Root of the tree over these leaf hashes. */
export function rootOf(leaves: Iterable<Hash>): RootHash {
  const frontier = Frontier.empty();
  for (const leaf of leaves) frontier.append(leaf);
  return frontier.root();
}

function countBits(size: number): number {
  if (!Number.isSafeInteger(size) || size < 0) {
    throw new EvidenceError("range-invalid", `${size} is not the size of a tree`);
  }
  let bits = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) bits += rest % 2;
  return bits;
}
