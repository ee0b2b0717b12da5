import { given } from "../content/json-field.ts";
import type { Digest } from "../digest.ts";
import { makeStatement, onlySubject, predicateOf, type Statement } from "./statement.ts";

export const approvalType = "urn:tally:approval:v1";

/** Someone approved or rejected a model, having seen these evaluations. Subject: the manifest. */
export interface Approval {
  readonly manifest: Digest;
  readonly decision: "approved" | "rejected";
  /** Envelopes of what was looked at. */
  readonly evaluated: readonly Digest[];
  readonly note?: string;
}

export function approvalStatement(approval: Approval): Statement {
  const { manifest, decision, evaluated, note } = approval;
  return makeStatement([{ digest: manifest }], approvalType, { decision, evaluated, ...given("note", note) });
}

/** @throws EvidenceError `statement-invalid` naming the field */
export function parseApproval(statement: Statement): Approval {
  const predicate = predicateOf(statement, approvalType);
  return Object.freeze({
    manifest: onlySubject(statement),
    decision: predicate.at("decision").oneOf("approved", "rejected"),
    evaluated: predicate.at("evaluated").list((item) => item.digest()),
    ...predicate.maybe("note", (f) => f.text()),
  });
}
