import { concatBytes } from "../bytes.ts";
import { encodeCbor } from "../cbor/index.ts";

// A bundle, byte for byte (docs/bundle.md):
//
//   A2 00 6F "tally-bundle/v1" 01 <question>     header, a map
//   82 <type> 58 20 …                            member, as often as there are members, sorted
//   83 <type> <length> 58 20 <sha256> in a list  the member list
//   32 bytes                                     SHA-256 of every byte before them

export const bundleFormat = "tally-bundle/v1";
export const trailerLength = 32;

/** The head of a CBOR item: major type 0 to 7 and its argument, in the shortest form. */
export function cborHead(major: number, argument: number): Uint8Array {
  const head = encodeCbor(argument);
  head[0] = (head[0]! & 0x1f) | (major << 5);
  return head;
}

/** What stands before a member's own bytes. */
export function memberHead(type: number, length: number): Uint8Array {
  return concatBytes(Uint8Array.of(0x82), encodeCbor(type), cborHead(2, length));
}
