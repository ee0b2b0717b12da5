import type { Digest } from "@tally/evidence";
import type { Facts } from "./facts.ts";

/** What a rule found, and on the ground of which envelopes. */
export interface Finding {
  readonly pass: boolean;
  readonly message: string;
  readonly inputs: readonly Digest[];
}

/** One rule: a name that stands in verdicts, and a pure function. */
export interface Rule {
  readonly name: string;
  check(facts: Facts): Finding;
}

export function pass(message: string, inputs: readonly Digest[]): Finding {
  return { pass: true, message, inputs };
}

export function fail(message: string, inputs: readonly Digest[] = []): Finding {
  return { pass: false, message, inputs };
}
