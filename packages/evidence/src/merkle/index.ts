export { consistencyRoots, verifyConsistency, verifySubtreeConsistency } from "./consistency.ts";
export { Frontier, rootOf } from "./frontier.ts";
export { emptyRoot, hashLeaf, hashLeafText, hashLevel, hashNode } from "./hashing.ts";
export { inclusionRoot, verifyInclusion, verifySubtreeInclusion } from "./inclusion.ts";
export { hashPacked, type PackedEntries, packedEntry, rootOfPacked } from "./packed.ts";
export { type RangeProof, rangeProofNodes, verifyRange } from "./range-proof.ts";
export { RangeTree } from "./range-tree.ts";
export {
  consistencyRanges,
  type HashRange,
  inclusionRanges,
  type NodeId,
  perfectNodes,
  proofFromRanges,
  subtreeConsistencyRanges,
} from "./ranges.ts";
export { sparseRanges, verifySparse } from "./sparse.ts";
