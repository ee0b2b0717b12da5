import { asHash, type Hash, hashNode } from "@tally/evidence";
import { HASH_BYTES } from "./layout.ts";

/** One level up: the parents of pairs of concatenated hashes, an odd last one left out. */
export function parents(hashes: Uint8Array): Uint8Array {
  const pairs = Math.floor(hashes.length / (2 * HASH_BYTES));
  const up = new Uint8Array(pairs * HASH_BYTES);
  for (let i = 0; i < pairs; i += 1) {
    const left = asHash(hashes.subarray(2 * i * HASH_BYTES, (2 * i + 1) * HASH_BYTES));
    const right = asHash(hashes.subarray((2 * i + 1) * HASH_BYTES, (2 * i + 2) * HASH_BYTES));
    up.set(hashNode(left, right), i * HASH_BYTES);
  }
  return up;
}

/** Root of a perfect tree over 2^k concatenated hashes. */
export function perfectRoot(hashes: Uint8Array): Hash {
  let level = hashes;
  while (level.length > HASH_BYTES) level = parents(level);
  return asHash(level.slice());
}
