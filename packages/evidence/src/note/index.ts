export { type Checkpoint, formatCheckpointText, parseCheckpoint, parseCheckpointText } from "./checkpoint.ts";
export {
  type CosignedSubtree,
  checkpointMessage,
  cosignatureV1Message,
  splitTimestamped,
  subtreeMessage,
  timestamped,
} from "./cosignature.ts";
export { type KeySet, verifyAllOf } from "./key-set.ts";
export { checkKeyName, formatVkey, type KeyType, type NoteKey, noteKey, parseVkey, sameKey } from "./note-key.ts";
export { type PolicyWitness, parsePolicy, type Quorum, type WitnessPolicy } from "./policy.ts";
export { postQuantumPolicy } from "./post-quantum.ts";
export { type QuorumTimes, quorumMet, quorumTimes, witnessNames } from "./quorum.ts";
export {
  formatNote,
  formatSignatureLine,
  maxNoteSignatures,
  maxNoteSize,
  type NoteSignature,
  parseNote,
  parseSignatureLines,
  type SignedNote,
} from "./signed-note.ts";
export { type NoteSigner, noteSignerFromPem, signCheckpoint } from "./signer.ts";
export { decodeEntryBundle, decodeTile, encodeEntryBundle, encodeTile } from "./tile-data.ts";
export {
  entriesPath,
  parseTilePath,
  type TileId,
  tileOfNode,
  tilePath,
  tilesOfTree,
  tileWidth,
  widthInTree,
} from "./tile-path.ts";
export { formatTlogProof, parseTlogProof, type TlogProof } from "./tlog-proof.ts";
export { type VerifiedSignature, verifyNote } from "./verify-note.ts";
