import type { Digest, loadReasons, MeasuredFile } from "@tally/evidence";
import type { Verdict } from "@tally/policy";

export type RefusalReason = Exclude<keyof typeof loadReasons, "none">;

export interface RefusalDetails {
  readonly manifest: Digest;
  readonly release?: Digest;
  /** What was measured before it was refused. */
  readonly files?: readonly MeasuredFile[];
}

/** Why a model must not run. It becomes a load entry with this reason, and an error for the caller. */
export class RefusedLoad extends Error {
  override readonly name = "RefusedLoad";
  readonly reason: RefusalReason;
  readonly details: RefusalDetails;

  constructor(reason: RefusalReason, message: string, details: RefusalDetails) {
    super(message);
    this.reason = reason;
    this.details = details;
  }
}

/** The refusal that a denying verdict amounts to: by the first rule that failed, with the words of all. */
export function refusalBy(verdict: Verdict, details: RefusalDetails): RefusedLoad {
  const failed = verdict.reasons.filter(({ result }) => result === "fail");
  const reason = reasonsByRule[failed[0]?.rule ?? ""] ?? "signer-not-trusted";
  return new RefusedLoad(reason, failed.map(({ message }) => message).join("; "), details);
}

const reasonsByRule: Readonly<Record<string, RefusalReason>> = {
  "statements-readable": "unreadable",
  "model-signed": "signer-not-trusted",
  "files-match": "file-mismatch",
  "approved-by-another": "not-approved",
  "not-rejected": "rejected",
  "not-quarantined": "quarantined",
  released: "not-released",
};
