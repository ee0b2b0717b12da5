import type { Verdict } from "./verdict.ts";

export type PolicyErrorCode = "denied";

/** Thrown where a verdict that does not allow must stop what is going on. It carries the verdict. */
export class PolicyError extends Error {
  override readonly name = "PolicyError";
  readonly code: PolicyErrorCode;
  readonly verdict: Verdict;

  constructor(code: PolicyErrorCode, message: string, verdict: Verdict) {
    super(message);
    this.code = code;
    this.verdict = verdict;
  }
}
