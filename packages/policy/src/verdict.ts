import type { Digest } from "@tally/evidence";
import type { Gate } from "./request.ts";

/** A decision with its reasons: plain JSON data, so that its canonical form has one digest. */
export interface Verdict {
  readonly gate: Gate;
  /** The manifest. */
  readonly subject: Digest;
  readonly repository: string;
  readonly channel?: string;
  readonly allow: boolean;
  /** One for each rule of the gate, in the order of the rules. */
  readonly reasons: readonly Reason[];
  /** Digest of what was decided by: the rules' names and the trust file. */
  readonly policy: Digest;
  /** Envelopes that the rules relied on, sorted. */
  readonly inputs: readonly Digest[];
  readonly at?: number;
}

export interface Reason {
  readonly rule: string;
  readonly result: "pass" | "fail";
  readonly message: string;
}
