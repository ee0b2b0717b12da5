import {
  asHash,
  type Digest,
  decodeEntry,
  EvidenceError,
  fromBase64,
  hashLeaf,
  openPlaneCheckpoint,
  type ProvenTime,
  type StatementProof,
  type Trust,
  utf8,
  verifyConsistency,
  verifyInclusion,
} from "@tally/evidence";
import type { PlaneClient } from "./plane-client.ts";

/** Where and when the plane's log took an envelope in, as far as it proves it. */
export type Logged = LoggedAt | NotLogged;

export interface LoggedAt {
  readonly result: "good";
  readonly index: number;
  readonly time: ProvenTime;
}

export interface NotLogged {
  readonly result: "bad" | "not made";
  readonly why: string;
}

/** The bracket in which the plane's log took the envelope in, proven under checkpoints that the trust file vouches for. */
export async function loggedWhen(client: PlaneClient, trust: Trust, digest: Digest): Promise<Logged> {
  let proof: StatementProof;
  try {
    proof = await client.get<StatementProof>(`/api/v1/statements/${digest}/proof?when=logged`);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code !== "not-found" && code !== "not-ready") throw error;
    const why = code === "not-found" ? "the plane's log does not have it" : "no cosigned checkpoint covers it yet";
    return { result: "not made", why: `${why}: no time is proven but now` };
  }
  try {
    return { result: "good", index: proof.index, time: verifyProof(proof, digest, trust) };
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return { result: "bad", why: error.message };
  }
}

/** "between 2026-01-01T00:00:00.000Z and …" */
export function showBracket({ notBeforeMs, atMs }: ProvenTime): string {
  const at = (ms: number | null | undefined) => (ms === null || ms === undefined ? "…" : new Date(ms).toISOString());
  return `between ${at(notBeforeMs)} and ${at(atMs)}`;
}

/** @throws EvidenceError where the log does not prove it */
function verifyProof(proof: StatementProof, digest: Digest, trust: Trust): ProvenTime {
  const { index, before } = proof;
  const under = openPlaneCheckpoint(utf8(proof.checkpoint), trust);
  const { size, root } = under.checkpoint;
  const bytes = fromBase64(proof.entry);
  const hashes = (list: readonly string[]) => list.map((hash) => asHash(fromBase64(hash)));
  verifyInclusion(index, size, hashLeaf(bytes), hashes(proof.proof), root);
  const entry = decodeEntry(bytes);
  if (entry.kind !== "statement" || entry.envelope !== digest) {
    throw new EvidenceError("proof-invalid", `entry ${index} of the plane's log is not this statement`);
  }
  const atMs = under.notAfter === null ? {} : { atMs: under.notAfter };
  if (before === undefined) return { ...atMs, notBeforeMs: null };
  const older = openPlaneCheckpoint(utf8(before.checkpoint), trust);
  if (older.checkpoint.size > index)
    throw new EvidenceError("proof-invalid", "the older checkpoint covers the statement");
  verifyConsistency(older.checkpoint.size, size, older.checkpoint.root, root, hashes(before.proof));
  return { ...atMs, notBeforeMs: older.notBefore };
}
