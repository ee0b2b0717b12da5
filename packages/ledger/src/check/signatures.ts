import {
  EvidenceError,
  type KeySet,
  type NoteKey,
  parseCheckpoint,
  utf8,
  verifyAllOf,
  verifyNote,
} from "@tally/evidence";
import type { Head } from "../witness/head-file.ts";
import type { Problems } from "./problem.ts";

/**
 * Of the signatures on what was signed: `good`, all verified; `bad`, one of them does not; `not-checked`, nobody's keys were given;
 * `none`, nothing is signed.
 */
export type SignatureState = "good" | "bad" | "not-checked" | "none";

/** The keys that must sign each checkpoint of a log; of a log whose keys change, by the checkpoint's size. */
export type KeysOfLog = KeySet | ((size: number) => KeySet | undefined);

const HINT = "keep the folder as it is; somebody else signed this, or the file was altered";

/** Whether a log's own note is signed by all of its keys. */
export function checkNote(
  note: string,
  place: { readonly origin: string; readonly where: string },
  keys: KeysOfLog | undefined,
  problems: Problems,
): SignatureState {
  const parsed = parseCheckpoint(utf8(note));
  const keySet = typeof keys === "function" ? keys(parsed.checkpoint.size) : keys;
  if (keySet === undefined) return "not-checked";
  try {
    verifyAllOf(parsed.note, place.origin, keySet);
    return "good";
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    problems.add(place.where, error.message, { hint: HINT });
    return "bad";
  }
}

/** Whether each of a cosigner's keys has cosigned what a mirror keeps. */
export function checkCosignatures(
  head: Head,
  where: string,
  keys: readonly NoteKey[] | undefined,
  problems: Problems,
): SignatureState {
  if (keys === undefined) return "not-checked";
  try {
    const good = verifyNote(parseCheckpoint(utf8(head.note + head.cosignatures)).note, [...keys]);
    const missing = keys.find((key) => !good.some((one) => one.key.id === key.id && one.key.name === key.name));
    if (missing === undefined) return "good";
    problems.add(where, `the cosignature of ${missing.name} (type ${missing.type}) is missing`, { hint: HINT });
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    problems.add(where, `a cosignature does not verify: ${error.message}`, { hint: HINT });
  }
  return "bad";
}

/** The state of several together: the worst, and `none` only where all are. */
export function worstOf(...states: readonly SignatureState[]): SignatureState {
  return (["bad", "not-checked", "good"] as const).find((state) => states.includes(state)) ?? "none";
}
