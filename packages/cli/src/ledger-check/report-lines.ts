import type { CheckReport } from "@tally/ledger";
import { counted } from "../terminal/index.ts";
import type { KeySource } from "./ledger-keys.ts";

/** A ledger's check, where it lies, and by whose keys it was made. */
export interface LedgerCheck extends CheckReport {
  /** Below the folder that was named; empty for that folder itself. */
  readonly name: string;
  readonly keys: KeySource | null;
}

/** Whole, and signed by somebody whose keys were known. */
export function isProven({ ok, signatures }: LedgerCheck): boolean {
  return ok && signatures === "good";
}

export function checkLines(checks: readonly LedgerCheck[]): readonly string[] {
  const lines = checks.flatMap((check) => [...linesOf(check), ...(checks.length > 1 ? [""] : [])]);
  return [...lines, verdict(checks)];
}

function linesOf(check: LedgerCheck): string[] {
  const { name, origin, size, signedSize, tornBytes, problems } = check;
  return [
    name === "" ? `${origin ?? "no ledger"}` : `${name}: ${origin ?? "no ledger"}`,
    `${size} entries hold, ${signedSize === 0 ? "none of them signed" : `${signedSize} under the newest signed checkpoint`}`,
    signatureLine(check),
    ...(tornBytes > 0
      ? [`${tornBytes} bytes of an interrupted write at the end: no problem, they are cut when it is opened`]
      : []),
    ...problems.flatMap(({ where, what, entry, offset, hint }) => {
      const at = [
        ...(entry === undefined ? [] : [`entry ${entry}`]),
        ...(offset === undefined ? [] : [`byte ${offset}`]),
      ];
      return [`BAD  ${where}${at.length > 0 ? ` (${at.join(", ")})` : ""}: ${what}`, `     ${hint}`];
    }),
  ];
}

function signatureLine({ signatures, keys }: LedgerCheck): string {
  switch (signatures) {
    case "none":
      return "no checkpoint is stored: nothing was ever signed, or the file was deleted";
    case "not-checked":
      return "signatures were not checked against anybody's keys";
    case "bad":
      return `signatures do not verify under the keys of ${whose(keys)}`;
    case "good":
      return `signatures verify under the keys of ${whose(keys)}`;
  }
}

function whose(keys: KeySource | null): string {
  if (keys === "first entry") return "its own first entry: that they are the device's, the plane's fleet log says";
  return `the ${keys}`;
}

function verdict(checks: readonly LedgerCheck[]): string {
  const them = checks.length === 1 ? "the ledger is" : `${checks.length} ledgers are`;
  const problems = checks.reduce((sum, check) => sum + check.problems.length, 0);
  if (problems > 0) return `BAD: ${counted(problems, "problem")}`;
  if (checks.every(isProven)) return `good: ${them} whole`;
  const unchecked = checks.some(({ signatures }) => signatures === "not-checked");
  return unchecked
    ? `not proven: ${them} whole, and signatures are left to check: give --trust FILE`
    : `not proven: ${them} whole, and nobody has signed what is there`;
}
