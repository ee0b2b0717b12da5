import { equalBytes } from "../bytes.ts";
import { asHash, type Hash, putHash, sha256Text } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { Frontier } from "./frontier.ts";
import { rootOfPacked } from "./packed.ts";
import { type RangeProof, rangePositions } from "./range-proof.ts";
import type { NodeId } from "./ranges.ts";

const blockLevel = 8;
const blockLeaves = 2 ** blockLevel;
const hashBytes = 32;

/**
 * Checks entries to be consecutive leaves of a tree, one after another, in memory that does not grow with them: what
 * `verifyRange` does for leaf hashes that are all at hand. Leaves go to the tree in aligned blocks, so that few of the
 * hashes have an object of their own.
 */
export class RangeTree {
  readonly #where: string;
  readonly #hi: number;
  readonly #right: readonly { readonly node: NodeId; readonly hash: Hash }[];
  readonly #frontier: Frontier;
  /** Hashes of the leaves [#blockStart, #next), which the frontier does not have yet, each in its place of the block. */
  readonly #block = new Uint8Array(blockLeaves * hashBytes);
  #blockStart: number;
  #next: number;

  /** @throws EvidenceError `proof-invalid` for a proof that cannot be one of [lo, hi) in a tree of that size */
  constructor(lo: number, hi: number, size: number, proof: RangeProof) {
    this.#where = `entries [${lo}, ${hi}) of a tree of ${size}`;
    const nodes = rangePositions(lo, hi, size, this.#where);
    if (proof.left.length !== nodes.left.length || proof.right.length !== nodes.right.length) {
      throw new EvidenceError("proof-invalid", `the proof of ${this.#where} has too few or too many hashes`);
    }
    this.#right = nodes.right.map((node, i) => ({ node, hash: proof.right[i]! }));
    this.#frontier = Frontier.from(lo, proof.left);
    this.#hi = hi;
    this.#next = lo;
    this.#blockStart = lo;
  }

  /** Adds the entry that bytes [start, end) are. @throws EvidenceError `proof-invalid` for one too many */
  append(bytes: Uint8Array, start: number, end: number): void {
    if (this.#next >= this.#hi) throw new EvidenceError("proof-invalid", `there are more leaves than ${this.#where}`);
    const place = this.#next % blockLeaves;
    putHash(sha256Text(leafInput(bytes, start, end)), this.#block, place * hashBytes);
    this.#next += 1;
    if (place === blockLeaves - 1) this.#flush();
  }

  /** @throws EvidenceError `proof-invalid` unless all entries were added, and lead to this root */
  verify(root: Hash): void {
    if (this.#next !== this.#hi) throw new EvidenceError("proof-invalid", `there are fewer leaves than ${this.#where}`);
    this.#flush();
    for (const { node, hash } of this.#right) this.#frontier.appendSubtree(node.level, hash);
    if (!equalBytes(this.#frontier.root(), root)) {
      throw new EvidenceError("proof-invalid", `the proof of ${this.#where} leads to another root`);
    }
  }

  /** Gives the block to the frontier: a whole one as one subtree, a part of one leaf by leaf. */
  #flush(): void {
    const start = this.#blockStart;
    this.#blockStart = this.#next;
    if (this.#next - start === blockLeaves) {
      this.#frontier.appendSubtree(blockLevel, rootOfPacked(this.#block));
      return;
    }
    for (let index = start; index < this.#next; index += 1) {
      const at = (index % blockLeaves) * hashBytes;
      this.#frontier.append(asHash(this.#block.slice(at, at + hashBytes)));
    }
  }
}

// One scratch array serves everyone, since nothing here awaits, and a view of each length is made once: a view costs as
// much as copying an entry (measured).
const scratch = new Uint8Array(1 + 1024);
const scratchViews: (Uint8Array | undefined)[] = [];

/** `00 <entry>` */
function leafInput(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start;
  if (length >= scratch.length) {
    const input = new Uint8Array(1 + length);
    input.set(bytes.subarray(start, end), 1);
    return input;
  }
  for (let i = 0; i < length; i += 1) scratch[i + 1] = bytes[start + i]!;
  scratchViews[length] ??= scratch.subarray(0, 1 + length);
  return scratchViews[length];
}
