export { type CheckOptions, type CheckReport, checkLedger } from "./check-ledger.ts";
export { checkMirroredLog, type MirroredCheckOptions } from "./check-mirrored-log.ts";
export { readFirstEntry } from "./first-entry.ts";
export type { CheckProblem } from "./problem.ts";
export type { KeysOfLog, SignatureState } from "./signatures.ts";
