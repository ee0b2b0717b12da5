import {
  EvidenceError,
  hashLeaf,
  openPlaneCheckpoint as openTimed,
  type ProvenTime,
  type Trust,
  utf8,
  verifyConsistency,
  verifyInclusion,
} from "@tally/evidence";
import { EdgeError } from "../error.ts";
import type { PlaneCheckpoint } from "../sync/plane-checkpoint.ts";
import type { LoggedStatement, LoggedUnder } from "./channel-answer.ts";

/**
 * When a statement was logged. Where the plane proves no more, all that is known is that it was there by the answer's checkpoint: what
 * it leaves out can only make a signature count less.
 *
 * @throws EdgeError `plane-untrusted` where what it says does not hold
 */
export function loggedWhen(
  { envelope, index, entry, logged }: LoggedStatement,
  newest: PlaneCheckpoint,
  trust: Trust,
): ProvenTime {
  if (logged === undefined) return newest.notAfter === null ? {} : { atMs: newest.notAfter };
  try {
    return verifyLogged(index, entry, logged, newest, trust);
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    throw new EdgeError(
      "plane-untrusted",
      `when statement ${envelope.digest} was logged is not proven: ${cause.message}`,
      { cause, hint: "keep the answer as evidence, and ask the operator" },
    );
  }
}

function verifyLogged(
  index: number,
  entry: Uint8Array,
  { checkpoint, proof, consistency, before }: LoggedUnder,
  newest: PlaneCheckpoint,
  trust: Trust,
): ProvenTime {
  const first = openTimed(utf8(checkpoint), trust);
  const { size, root } = first.checkpoint;
  verifyInclusion(index, size, hashLeaf(entry), [...proof], root);
  verifyConsistency(size, newest.checkpoint.size, root, newest.checkpoint.root, [...consistency]);
  const atMs = first.notAfter === null ? {} : { atMs: first.notAfter };
  if (before === undefined) return { ...atMs, notBeforeMs: null };
  const older = openTimed(utf8(before.checkpoint), trust);
  if (older.checkpoint.size > index) throw new EvidenceError("proof-invalid", "the older checkpoint covers it");
  verifyConsistency(older.checkpoint.size, size, older.checkpoint.root, root, [...before.consistency]);
  return { ...atMs, notBeforeMs: older.notBefore };
}
