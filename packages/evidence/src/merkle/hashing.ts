// RFC 6962 section 2.1 (the same in RFC 9162): the prefix byte keeps an entry from passing for two nodes.
//   leaf  SHA-256(0x00 ‖ entry)
//   node  SHA-256(0x01 ‖ left ‖ right)
//   empty SHA-256("")
import { type Hash, type HashText, type LeafHash, putHash, type RootHash, sha256, sha256Text } from "../digest.ts";
import { EvidenceError } from "../error.ts";

// Filled in place and hashed in one call: less than half the time of hashing three parts (measured). Nothing here
// awaits, so that one scratch array serves everyone.
const node = new Uint8Array(65);
node[0] = 1;
let leaf = new Uint8Array(1 + 4096);
/** The beginning of `leaf` that was hashed last: most entries are as long as the one before. */
let message = leaf;

/** Hash of an entry as a leaf. */
export function hashLeaf(entry: Uint8Array): LeafHash {
  return sha256(leafMessage(entry)) as LeafHash;
}

/** The same as text, for those who put it elsewhere. */
export function hashLeafText(entry: Uint8Array): HashText {
  return sha256Text(leafMessage(entry));
}

function leafMessage(entry: Uint8Array): Uint8Array {
  const length = 1 + entry.length;
  if (length > leaf.length) leaf = new Uint8Array(2 * length);
  leaf.set(entry, 1);
  if (message.length !== length || message.buffer !== leaf.buffer) message = leaf.subarray(0, length);
  return message;
}

/** Hash of the node above two others. */
export function hashNode(left: Hash, right: Hash): Hash {
  // A shorter one would leave bytes of an earlier node in place.
  if (left.length !== 32 || right.length !== 32) throw new EvidenceError("digest-invalid", "a node is over two hashes");
  node.set(left, 1);
  node.set(right, 33);
  return sha256(node);
}

/**
 * One level up a tree: the nodes above pairs of hashes that lie one after another, an odd last one left out. With no array
 * for each node it takes 0.4 µs a node instead of 0.7 (measured).
 */
export function hashLevel(hashes: Uint8Array): Uint8Array {
  const pairs = Math.floor(hashes.length / 64);
  const above = new Uint8Array(pairs * 32);
  for (let i = 0; i < pairs; i++) {
    for (let at = 0; at < 64; at++) node[1 + at] = hashes[64 * i + at]!;
    putHash(sha256Text(node), above, 32 * i);
  }
  return above;
}

/** Root of the tree without leaves. */
export const emptyRoot: RootHash = sha256(new Uint8Array(0)) as RootHash;
