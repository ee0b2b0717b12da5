import { encodeHeadLeaf, type HeadLeaf, hashLeaf, type LeafHash, type RootHash, rootOf } from "@tally/evidence";

interface Encoded {
  readonly bytes: Uint8Array;
  readonly hash: LeafHash;
}

/** A head that has not moved stays the same object from round to round, and is encoded and hashed once. */
const known = new WeakMap<HeadLeaf, Encoded>();

export function encodedHead(leaf: HeadLeaf): Encoded {
  const before = known.get(leaf);
  if (before !== undefined) return before;
  const bytes = encodeHeadLeaf(leaf);
  const encoded = Object.freeze({ bytes, hash: hashLeaf(bytes) });
  known.set(leaf, encoded);
  return encoded;
}

/** The RFC 6962 root over leaves that are sorted already. */
export function rootOfHeads(sorted: readonly HeadLeaf[]): RootHash {
  return rootOf(sorted.map((leaf) => encodedHead(leaf).hash));
}
