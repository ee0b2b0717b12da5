import type { Question } from "../bundle/index.ts";
import type { Check } from "./check.ts";
import type { ErasedAnswer } from "./erasures.ts";
import type { ModelAnswer } from "./models.ts";
import type { QuarantineAnswer } from "./quarantines.ts";
import type { RecordAnswer } from "./record-answer.ts";
import type { RefusedLoad } from "./records.ts";
import type { SummaryAnswer } from "./summary-answer.ts";

/** What a verification came to. `equivocated` is bad too: someone signed two histories. */
export type Outcome = "good" | "bad" | "not proven";

/** What is proven of one ledger for the question. */
export interface LedgerAnswer {
  readonly origin: string;
  readonly deviceId: string;
  readonly inside: number;
  readonly possiblyInside: number;
  readonly keyRevoked: number;
  /** Milliseconds: the ledger has been delivered up to here; what happened since is not known. Null: nothing arrived. */
  readonly coveredUntil: number | null;
  readonly covered: boolean;
  readonly gaps: number;
  readonly standing: "in good standing" | "equivocated" | "keys revoked" | "decommissioned" | "nothing arrived";
}

export interface Answer {
  /**
   * Of what the ledgers recorded. `full`: every entry of the interval is here. `summarised`: all records are, and other entries
   * may be left out. `summary`: counts stand for the records.
   */
  readonly complete: "full" | "summarised" | "summary" | "incomplete";
  /** What an answer that is not full stands on that nothing in the bundle proves. */
  readonly reliesOn: readonly string[];
  readonly ledgers: readonly LedgerAnswer[];
  readonly models: readonly ModelAnswer[];
  /** Records that the answer has. */
  readonly recordCount: number;
  /** The first of them; `verifyRecords` gives all, as they are asked for. */
  readonly records: readonly RecordAnswer[];
  /** Records of the answer whose contents the device says it has erased. */
  readonly erased: readonly ErasedAnswer[];
  /** What of it is, or was, under quarantine. */
  readonly quarantines: readonly QuarantineAnswer[];
  readonly refused: readonly RefusedLoad[];
  /** The counts that a question for a summary asks for; null for every other question. */
  readonly summary: SummaryAnswer | null;
}

export interface Report {
  readonly outcome: Outcome;
  /** Null where the file is too damaged to hold a question. */
  readonly question: Question | null;
  /** When the answer was complete: the moment by which a cosigned checkpoint committed to all heads. Milliseconds. */
  readonly asOf: number | null;
  readonly timeLabel: "witnessed" | "plane-asserted" | null;
  readonly checks: readonly Check[];
  readonly answer: Answer | null;
  /** Where the file is damaged, if it is. */
  readonly damage: { readonly where: string; readonly offset: number; readonly what: string } | null;
}

export function outcomeOf(checks: readonly Check[]): Outcome {
  if (checks.some(({ result, required }) => result === "bad" && required)) return "bad";
  if (checks.some(({ result, required }) => result === "not made" && required)) return "not proven";
  return "good";
}

/** Exit codes of `tally verify`: 0 good, 3 bad, 6 not proven. */
export function exitCodeOf(report: Report): 0 | 3 | 6 {
  if (report.outcome === "good") return 0;
  return report.outcome === "bad" ? 3 : 6;
}
