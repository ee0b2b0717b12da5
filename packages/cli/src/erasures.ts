import {
  asHash,
  type Digest,
  decodeEntry,
  type Envelope,
  type Erasure,
  EvidenceError,
  erasureType,
  fromBase64,
  hashLeaf,
  type KeySet,
  parseEnvelope,
  parseErasure,
  requireDeviceSignature,
  type StatementLeaf,
  type StatementList,
  type Trust,
  utf8,
  verifyInclusion,
} from "@tally/evidence";
import { type Admission, keysNotReplacedAt, trustedCheckpoint } from "./fleet-log.ts";
import type { PlaneClient } from "./plane-client.ts";

/** What a device has stated to have erased. */
export interface StatedErasure {
  /** The envelope. */
  readonly statement: Digest;
  readonly erasure: Erasure;
}

interface StatementProof {
  readonly index: number;
  readonly size: number;
  readonly entry: string;
  readonly proof: readonly string[];
  readonly checkpoint: string;
}

/**
 * What devices have stated to have erased. With a trust file each statement is verified: in the plane's log, under a
 * checkpoint that holds, and signed with every key that the device had then; without one it is the plane's word.
 *
 * @param fleet admissions by origin, as `readFleet` gives them
 * @throws EvidenceError where a statement is not what the plane says
 */
export async function readErasures(
  client: Pick<PlaneClient, "get" | "bytes">,
  trust: Trust | undefined,
  fleet: ReadonlyMap<string, Admission> | undefined,
): Promise<readonly StatedErasure[]> {
  const query = new URLSearchParams({ type: erasureType });
  const { statements } = await client.get<StatementList>(`/api/v1/statements?${query}`);
  const found: StatedErasure[] = [];
  for (const { digest } of statements) {
    const envelope = parseEnvelope(await client.bytes(`/api/v1/statements/${digest}`));
    if (envelope.digest !== digest)
      throw new EvidenceError("envelope-invalid", `the plane sends another statement than ${digest}`);
    const erasure = parseErasure(envelope.statement);
    if (trust !== undefined) {
      const admission = fleet?.get(erasure.origin);
      if (admission === undefined) {
        throw new EvidenceError("proof-invalid", `${digest}: the fleet log has no enrolment of ${erasure.origin}`);
      }
      const proof = await client.get<StatementProof>(`/api/v1/statements/${digest}/proof`);
      const { time } = requireInLog(digest, proof, trust);
      requireSignedByOneOf(envelope, keysNotReplacedAt(admission, time));
    }
    found.push({ statement: digest, erasure });
  }
  return found;
}

/** What the log says of the statement. @throws EvidenceError `proof-invalid` */
function requireInLog(
  digest: Digest,
  { index, size, entry, proof, checkpoint }: StatementProof,
  trust: Trust,
): StatementLeaf {
  const trusted = trustedCheckpoint(utf8(checkpoint), "log", trust);
  const bytes = fromBase64(entry);
  const leaf = decodeEntry(bytes);
  if (trusted.size !== size || leaf.kind !== "statement" || leaf.envelope !== digest) {
    throw new EvidenceError("proof-invalid", `the plane's proof of ${digest} is of something else`);
  }
  const path = proof.map((hash) => asHash(fromBase64(hash)));
  verifyInclusion(index, size, hashLeaf(bytes), path, trusted.root);
  return leaf;
}

/** @throws EvidenceError `signature-missing` */
function requireSignedByOneOf(envelope: Envelope, keySets: readonly KeySet[]): void {
  let why: unknown;
  for (const keySet of keySets) {
    try {
      requireDeviceSignature(envelope, keySet);
      return;
    } catch (error) {
      why ??= error;
    }
  }
  throw why;
}
