import { asHash, type Hash, hashLevel } from "@tally/evidence";
import { HASH_BYTES } from "./layout.ts";

/** Root of a perfect tree over 2^k concatenated hashes. */
export function perfectRoot(hashes: Uint8Array): Hash {
  let level = hashes;
  while (level.length > HASH_BYTES) level = hashLevel(level);
  return asHash(level.slice());
}
