export { type Agent, type AgentOptions, runAgent } from "./agent/run-agent.ts";
export { type SyncRound, syncRound } from "./agent/sync-loop.ts";
export {
  type CaptureMode,
  type ConfigOverrides,
  captureModes,
  type DeviceConfig,
  type ReleaseMode,
  readConfig,
  releaseModes,
  type SyncMode,
  syncModes,
} from "./config.ts";
export type { Content } from "./content.ts";
export { type BegunErasure, Device, type OpenOptions, openDevice } from "./device.ts";
export type { Declaration, DeclaredModel, DeviceStatus, LabelRequest, RecordRequest } from "./device-requests.ts";
export { type EnrollOptions, enroll } from "./enroll/enroll.ts";
export type { ErasureRequest } from "./erasure/destroy.ts";
export type { FinishedErasure } from "./erasure/finish.ts";
export { EdgeError, type EdgeErrorCode } from "./error.ts";
export type { DeviceIdentity } from "./identity.ts";
export type { LoadedModel } from "./models/loaded-model.ts";
export type { DeviceRecord, Receipt } from "./record.ts";
export type { Parameters, Usage } from "./recorder/decimal.ts";
export { type RecoverOptions, recoverDevice } from "./recovery/recover.ts";
export type { Comparison, TensorDifference } from "./replay/compare-tensors.ts";
export { type KeptContent, type KeptRecord, keptInFolder, keptInSegment } from "./replay/kept-record.ts";
export { type Circumstance, type Replayed, replayRecord } from "./replay/replay-record.ts";
export { readKeyHistory } from "./rotation/key-history.ts";
export { rotateKeys } from "./rotation/rotate-keys.ts";
export type { OnnxSession, OutputTensor, RunOptions, RunResult } from "./runtime/onnx-session.ts";
export type { OnnxTensor } from "./runtime/tensors.ts";
export {
  type AbsentRecord,
  type InspectedSegment,
  inspectSegment,
  type KeysAt,
  type OpenedSegment,
} from "./segments/inspect-segment.ts";
export { openSegment } from "./segments/open-segment.ts";
export type { PackedSegment } from "./segments/pack-segments.ts";
export { newIdentity, parseIdentities, type Recipient } from "./segments/recipients.ts";
export type { LateLabel, RowLabel, SegmentRow } from "./segments/row.ts";
export type { SegmentFault } from "./segments/table-faults.ts";
export { CsvTable, renderTables, type Tables } from "./segments/tables.ts";
export { unsealSegment } from "./segments/unseal-segment.ts";
export type { SyncReport } from "./sync/sync.ts";
