export type { PeerHeaders, PeerOptions } from "./peer.ts";
export { type GrowthOptions, type GrowthResult, proveGrowth } from "./prove-growth.ts";
export { type Refused, type SubmitOptions, type SubmitResult, submitCheckpoint } from "./submit-checkpoint.ts";
export {
  type SendOptions,
  type SendResult,
  type SyncOptions,
  type SyncResult,
  sendEntries,
  syncLog,
} from "./sync-log.ts";
export { type UploadOptions, type UploadResult, uploadEntries, uploadRequest } from "./upload-entries.ts";
