import { given } from "../content/json-field.ts";
import type { Digest } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { makeStatement, onlySubject, predicateOf, type Statement } from "./statement.ts";

export const fleetDecisionType = "urn:tally:fleet-decision:v1";

export const fleetDecisions = ["revoke", "accept-epoch", "decommission", "reinstate"] as const;
export type FleetDecisionKind = (typeof fleetDecisions)[number];

/**
 * What a named person decided about a device's ledger or about someone's key. The fleet log's entry that carries it out names
 * the envelope.
 *
 * Subject: the leaf hash of the ledger's genesis entry; for a person's key the SHA-256 of its SPKI DER.
 */
export interface FleetDecision {
  readonly decision: FleetDecisionKind;
  readonly subject: Digest;
  /** The ledger; null where a person's key is revoked. */
  readonly origin: string | null;
  readonly reason: string;
  /** What is revoked: a ledger's key set, as the plane names it, or a person's key. Lower-case hex. */
  readonly keyId?: string;
  /** Of a revocation: milliseconds since 1970; null: nothing that was signed with it holds. */
  readonly compromiseTime?: number | null;
  /** Of a reinstatement: digests of the evidence that it settles. */
  readonly settles?: readonly Digest[];
}

export function fleetDecisionStatement(decision: FleetDecision): Statement {
  const { subject, decision: what, origin, reason, keyId, compromiseTime, settles } = decision;
  return makeStatement([{ digest: subject }], fleetDecisionType, {
    decision: what,
    origin,
    reason,
    ...given("keyId", keyId),
    ...given("compromiseTime", compromiseTime),
    ...given("settles", settles),
  });
}

/** @throws EvidenceError `statement-invalid` naming the field */
export function parseFleetDecision(statement: Statement): FleetDecision {
  const predicate = predicateOf(statement, fleetDecisionType);
  const decision = predicate.at("decision").oneOf(...fleetDecisions);
  const origin = predicate.at("origin");
  const base = {
    decision,
    subject: onlySubject(statement),
    origin: origin.value === null ? null : origin.text(255),
    reason: predicate.at("reason").text(4096),
  };
  if (base.origin === null && decision !== "revoke") throw origin.wrong("a ledger's name");
  if (decision === "reinstate") {
    return Object.freeze({ ...base, settles: predicate.at("settles").nonEmptyList((item) => item.digest()) });
  }
  if (decision !== "revoke") return Object.freeze(base);
  const time = predicate.at("compromiseTime");
  const keyId = predicate.at("keyId").text(64);
  if (!/^[0-9a-f]{64}$/.test(keyId)) throw predicate.at("keyId").wrong("a SHA-256 in lower-case hex");
  if (base.origin === null && base.subject !== `sha256:${keyId}`) {
    throw new EvidenceError("statement-invalid", "subject: a person's key is named by its key id");
  }
  return Object.freeze({ ...base, keyId, compromiseTime: time.value === null ? null : time.uint() });
}
