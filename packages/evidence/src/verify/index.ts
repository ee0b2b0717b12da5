export type { Check, CheckResult } from "./check.ts";
export { checkEquivocation, type EquivocationEvidence, type EquivocationFinding, seededProof } from "./equivocation.ts";
export type { DataOrigin, Origin } from "./model-origin.ts";
export type { ModelAnswer } from "./models.ts";
export type { RecordAnswer, RecordStanding, RefusedLoad } from "./records.ts";
export { type Answer, exitCodeOf, type LedgerAnswer, type Outcome, type Report } from "./report.ts";
export type { Bracket } from "./time-bracket.ts";
export { type Progress, type VerifyOptions, verifyBundle } from "./verify-bundle.ts";
