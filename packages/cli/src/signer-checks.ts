import {
  asHash,
  type Digest,
  decodeEntry,
  type Envelope,
  EvidenceError,
  fromBase64,
  hashLeaf,
  openPlaneCheckpoint,
  type ProvenTime,
  type StatementProof,
  type Trust,
  type TrustedAction,
  type TrustedIdentity,
  utf8,
  verifyConsistency,
  verifyEnvelope,
  verifyInclusion,
  whyNotAllowed,
  whyNotThen,
} from "@tally/evidence";
import { readFleetEntries } from "./fleet-log.ts";
import type { PlaneClient } from "./plane-client.ts";

/** One check of a signature's standing, as `tally model verify` has them. */
export interface SignerCheck {
  readonly name: "signer" | "rights" | "log" | "period" | "revocation";
  readonly result: "good" | "bad" | "not made";
  readonly message: string;
}

export interface SignerReport {
  readonly checks: readonly SignerCheck[];
  readonly outcome: SignerCheck["result"];
  /** Who signed, where somebody of the trust file did. */
  readonly by?: string;
}

/** What the signature is for; null where nobody needs a right to say it, or where it is about no repository. */
export interface SignedFor {
  readonly action: TrustedAction | null;
  readonly repository: string | null;
}

/**
 * Whether somebody of the trust file signed an envelope who may, then: by the bracket in which the plane's log proves it to have been
 * logged, and by the revocations of the fleet log. A statement that is not logged has no proven time but now.
 */
export async function checkSigner(
  client: PlaneClient,
  trust: Trust,
  envelope: Envelope,
  signedFor: SignedFor,
): Promise<SignerReport> {
  const signers = verifyEnvelope(envelope, trust.identities);
  const [first] = signers;
  if (first === undefined) {
    const claimed = envelope.signatures.map(({ keyId }) => keyId).filter((keyId) => keyId !== "");
    const by = claimed.length === 0 ? "" : `; it names key ${claimed.join(", ")}`;
    return reportOf([{ name: "signer", result: "bad", message: `nobody of the trust file signed it${by}` }]);
  }
  const { check: logged, time } = await loggedWhen(client, trust, envelope.digest);
  const revoked = await revocations(client, trust);
  const reports = signers.map((identity) => {
    const signer = { name: "signer", result: "good", message: `${identity.name}, key ${identity.keyId}` } as const;
    const own = [rights(identity, signedFor), logged, period(identity, time), revocation(identity, time, revoked)];
    return reportOf([signer, ...own], identity.name);
  });
  return reports.find(({ outcome }) => outcome === "good") ?? reports[0]!;
}

function rights(identity: TrustedIdentity, { action, repository }: SignedFor): SignerCheck {
  if (action === null) return { name: "rights", result: "good", message: "anybody known may say this" };
  const { may, repositories } = identity;
  const why =
    repository === null
      ? may.includes(action)
        ? undefined
        : `may not ${action}`
      : whyNotAllowed(identity, { action, repository });
  if (why !== undefined) return { name: "rights", result: "bad", message: `${identity.name} ${why}` };
  return { name: "rights", result: "good", message: `may ${action} for ${repository ?? repositories.join(", ")}` };
}

function period(identity: TrustedIdentity, time: ProvenTime): SignerCheck {
  const { from, until } = identity;
  if (from === undefined && until === undefined) {
    return { name: "period", result: "good", message: "the trust file sets none" };
  }
  const why = whyNotThen(identity, time);
  if (why === undefined) return { name: "period", result: "good", message: "within the period of the trust file" };
  return { name: "period", result: "not made", message: `the key ${why}` };
}

type Revocations = { readonly entries: number; readonly byKey: ReadonlyMap<string, number | null> } | Error;

function revocation({ keyId }: TrustedIdentity, { atMs }: ProvenTime, revoked: Revocations): SignerCheck {
  const name = "revocation";
  if (revoked instanceof Error) return { name, result: "not made", message: revoked.message };
  const since = revoked.byKey.get(keyId);
  if (since === undefined) {
    return { name, result: "good", message: `not among the ${revoked.entries} entries of the fleet log` };
  }
  if (since === null) return { name, result: "bad", message: "the key is revoked for all that it ever signed" };
  const when = new Date(since).toISOString();
  if (atMs !== undefined && atMs < since) {
    return { name, result: "good", message: `the key is revoked as of ${when}, and this is proven to be older` };
  }
  return { name, result: "bad", message: `the key is revoked as of ${when}, and nothing proves this to be older` };
}

async function revocations(client: PlaneClient, trust: Trust): Promise<Revocations> {
  try {
    const entries = (await readFleetEntries(client, trust)).map(decodeEntry);
    const byKey = new Map<string, number | null>();
    for (const entry of entries) {
      if (entry.kind === "not-understood") return new Error("the fleet log has an entry that is not understood");
      if (entry.kind !== "revoke" || entry.origin !== null) continue;
      const { keyId, compromiseTime: since } = entry;
      const before = byKey.get(keyId);
      const stricter = since === null || before === null ? null : Math.min(since, before ?? since);
      byKey.set(keyId, stricter);
    }
    return { entries: entries.length, byKey };
  } catch (error) {
    if (error instanceof EvidenceError) return new Error(`the fleet log does not hold: ${error.message}`);
    throw error;
  }
}

/** The bracket in which the plane's log took the envelope in. Of what it does not hold it is known that it exists now. */
async function loggedWhen(
  client: PlaneClient,
  trust: Trust,
  digest: Digest,
): Promise<{ readonly check: SignerCheck; readonly time: ProvenTime }> {
  const unproven = { atMs: Date.now(), notBeforeMs: null };
  let proof: StatementProof;
  try {
    proof = await client.get<StatementProof>(`/api/v1/statements/${digest}/proof?when=logged`);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code !== "not-found" && code !== "not-ready") throw error;
    const why = code === "not-found" ? "the plane's log does not have it" : "no cosigned checkpoint covers it yet";
    const message = `${why}: no time is proven but now`;
    return { check: { name: "log", result: "not made", message }, time: unproven };
  }
  try {
    const time = verifyProof(proof, digest, trust);
    const at = (ms: number | null | undefined) => (ms === null || ms === undefined ? "…" : new Date(ms).toISOString());
    const message = `entry ${proof.index} of the plane's log, between ${at(time.notBeforeMs)} and ${at(time.atMs)}`;
    return { check: { name: "log", result: "good", message }, time };
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return { check: { name: "log", result: "bad", message: error.message }, time: unproven };
  }
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

function reportOf(checks: readonly SignerCheck[], by?: string): SignerReport {
  const has = (result: SignerCheck["result"]) => checks.some((check) => check.result === result);
  // A statement may stand without the log, as long as nothing about its signer depends on a time.
  const open = checks.some(({ name, result }) => result === "not made" && name !== "log");
  const outcome = has("bad") ? "bad" : open ? "not made" : "good";
  return { checks, outcome, ...(by !== undefined && { by }) };
}
