import { EvidenceError, type Hash } from "@tally/evidence";

/**
 * - `equivocated`: anyone can check it from the two notes, the proof and the log's keys (`checkEquivocation`).
 * - `diverged`: the mirror cannot reconcile what it was offered. Evidence against nobody: whoever may submit can cause it.
 */
export type ConflictKind = "equivocated" | "diverged";

/** A validly signed checkpoint that a mirror cannot accept, or entries under one that convict. */
export interface Conflict {
  readonly origin: string;
  readonly kind: ConflictKind;
  /** What contradicts what, in words. */
  readonly reason: string;
  /** The note that the mirror holds. */
  readonly signed: string;
  /** The note that was offered. */
  readonly offered: string;
  /** For `equivocated` as `checkEquivocation` takes it; else as it was offered. */
  readonly proof: readonly Hash[];
  /** The old size that the offer named. */
  readonly old: number;
  /** The entries that convict, where it is entries that do. */
  readonly entries?: ConvictingEntries;
}

/** Entries that `offered` commits to: `proof` leads from their subtree [start, end) to its root. */
export interface ConvictingEntries {
  readonly start: number;
  readonly end: number;
  readonly entries: readonly Uint8Array[];
}

/** Thrown by an `inspect` hook when verified entries contradict themselves or what came before. */
export class ConvictionError extends Error {
  readonly kind: ConflictKind;

  constructor(reason: string, options: { kind?: ConflictKind; cause?: unknown } = {}) {
    super(reason, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "ConvictionError";
    this.kind = options.kind ?? "diverged";
  }
}

/**
 * What an error from an `inspect` hook says against the device: a ConvictionError, an EvidenceError, or any error with a
 * `reason` in words. Undefined for all others: they are the owner's own failures (a database that is away) and convict nobody.
 */
export function convictionOf(error: unknown): { kind: ConflictKind; reason: string } | undefined {
  if (error instanceof ConvictionError) return { kind: error.kind, reason: error.message };
  if (error instanceof EvidenceError) return { kind: "diverged", reason: error.message };
  if (!(error instanceof Error) || !("reason" in error) || typeof error.reason !== "string") return undefined;
  const kind = "kind" in error && error.kind === "equivocated" ? "equivocated" : "diverged";
  return { kind, reason: error.reason };
}
