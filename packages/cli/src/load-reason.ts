import { loadReasons } from "@tally/evidence";

/** The name of a load's reason code; a code that this version does not know stays a number. */
export function loadReason(code: number): string {
  return Object.entries(loadReasons).find(([, known]) => known === code)?.[0] ?? `reason ${code}`;
}
