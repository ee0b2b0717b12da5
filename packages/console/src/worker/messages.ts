import type {
  Check,
  EvidenceGrade,
  LedgerAnswer,
  ModelAnswer,
  RecordStanding,
  Report,
  SummaryAnswer,
} from "@tally/evidence";

// What the page and its worker say to each other. The records stay with the worker, however many there are; the page
// asks for those that it shows, and they are read from the file again.

export type Request =
  | { readonly kind: "verify"; readonly bundle: Blob; readonly trust: ArrayBuffer; readonly now: number }
  | { readonly kind: "rows"; readonly ticket: number; readonly filter: RecordFilter; readonly page: Page }
  | { readonly kind: "record"; readonly ticket: number; readonly origin: string; readonly index: number };

export type Response =
  | { readonly kind: "progress"; readonly done: number; readonly of: number; readonly checks: number }
  | { readonly kind: "verified"; readonly summary: Summary }
  /** The verification could not be made at all: nothing is proven. */
  | { readonly kind: "failed"; readonly failure: Failure }
  | { readonly kind: "rows"; readonly ticket: number; readonly rows: Rows }
  | { readonly kind: "record"; readonly ticket: number; readonly fields: readonly Field[] }
  /** What was asked for under that ticket cannot be read. */
  | { readonly kind: "unread"; readonly ticket: number; readonly message: string };

export interface Failure {
  /** Which file is to blame; null for neither. */
  readonly file: "trust" | null;
  readonly message: string;
  readonly hint: string | null;
}

/** A report without its records. */
export interface Summary extends Omit<Report, "answer"> {
  readonly answer: AnswerSummary | null;
  readonly bundle: FileSummary;
  readonly trust: TrustSummary;
  /** What verifying took. */
  readonly milliseconds: number;
}

export interface AnswerSummary {
  readonly ledgers: readonly LedgerAnswer[];
  readonly models: readonly ModelAnswer[];
  readonly refused: readonly RefusedSummary[];
  readonly records: number;
  /** Records whose contents their device says it has erased. */
  readonly erased: number;
  /** What an answer that is not full stands on that nothing in the bundle proves. */
  readonly reliesOn: readonly string[];
  /** Counts in place of records, where the question asks for no more. */
  readonly summary: SummaryAnswer | null;
}

export interface RefusedSummary {
  readonly origin: string;
  readonly index: number;
  readonly model: string | null;
  readonly reason: string;
}

export interface FileSummary {
  readonly size: number;
  readonly digest: string;
}

/** Whom and what the trust file believes. */
export interface TrustSummary extends FileSummary {
  readonly plane: string;
  readonly algorithms: readonly string[];
  readonly witnesses: readonly string[];
  /** The policy's lines that say how many of them are needed. */
  readonly quorum: readonly string[];
  readonly identities: readonly { readonly name: string; readonly may: string; readonly repositories: string }[];
  readonly limits: readonly string[];
}

/** Null lets everything through. */
export interface RecordFilter {
  readonly origin: string | null;
  readonly model: string | null;
  readonly standing: RecordStanding | null;
}

export interface Page {
  readonly from: number;
  readonly count: number;
}

export interface Rows {
  /** How many records the filter lets through. */
  readonly total: number;
  readonly rows: readonly RecordRow[];
}

export interface RecordRow {
  readonly origin: string;
  readonly index: number;
  readonly model: string | null;
  readonly grade: EvidenceGrade;
  readonly standing: RecordStanding;
  readonly notBefore: number | null;
  readonly notAfter: number | null;
  readonly deviceTime: number;
}

/** A name and what is to be read beside it. */
export type Field = readonly [name: string, value: string];

export type { Check };
