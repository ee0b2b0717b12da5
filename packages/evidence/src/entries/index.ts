export type { Anchor } from "./anchor.ts";
export { decodeEntry, encodeEntry, maxEntryBytes } from "./codec.ts";
export type { Decommission } from "./decommission.ts";
export type { Enrol, Epoch } from "./enrol.ts";
export { type Entry, type EntryKindName, entryKindCodes, type NotUnderstood, type UnderstoodEntry } from "./entry.ts";
export { type Event, eventCodes } from "./event.ts";
export { type Gap, gapReasons } from "./gap.ts";
export type { Genesis, Predecessor } from "./genesis.ts";
export { decodeHeadLeaf, encodeHeadLeaf, type HeadLeaf, headsRoot, sortHeadLeaves } from "./head-leaf.ts";
export type { HeadsLeaf } from "./heads-leaf.ts";
export { captureLevels, type Inference, maxInlineReferences, parameterCodes, usageCodes } from "./inference.ts";
export type { Keys } from "./keys.ts";
export type { Label } from "./label.ts";
export {
  type EvidenceGrade,
  evidenceGrades,
  type Load,
  type LoadOutcome,
  loadReasons,
  type MeasuredFile,
} from "./load.ts";
export { encodeRecord, type PlainRecord, type TextCommitment } from "./plain-inference.ts";
export type { Restart } from "./restart.ts";
export type { Revoke } from "./revoke.ts";
export { type RecordPlace, scanPlainInference } from "./scan-inference.ts";
export type { Segment } from "./segment.ts";
export {
  type CheckpointReference,
  type LoadCount,
  maxInlineItems,
  maxLoadsOfRun,
  type RecordReference,
  type SaltedCommitment,
} from "./shapes.ts";
export type { StatementLeaf } from "./statement-leaf.ts";
export type { Summary } from "./summary.ts";
export { type Unload, unloadReasons } from "./unload.ts";
