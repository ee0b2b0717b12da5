export {
  type CheckpointOffer,
  formatAddCheckpointBody,
  MAX_ADD_CHECKPOINT_BYTES,
  parseAddCheckpointBody,
} from "./add-checkpoint-body.ts";
export { type Head, readHead } from "./head-file.ts";
export { originHash } from "./origin-folder.ts";
export type { ProtocolResponse } from "./response.ts";
export { serveWitness, type WitnessServer } from "./serve-witness.ts";
export { formatSizeBody, parseSizeBody, SIZE_TYPE } from "./size-body.ts";
export { Witness, type WitnessOptions } from "./witness.ts";
