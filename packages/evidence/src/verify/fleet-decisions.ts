import { digestFromHash } from "../digest.ts";
import type { Decommission, Epoch, Revoke } from "../entries/index.ts";
import { EvidenceError } from "../error.ts";
import { type FleetDecision, fleetDecisionType, keyRotationType, parseFleetDecision } from "../statements/index.ts";
import type { Context } from "./context.ts";
import type { Enrolment } from "./fleet-entries.ts";
import { namesOf } from "./model-statement.ts";
import type { ProvenStatement, Statements } from "./proven-statements.ts";

const name = "fleet decision";

/**
 * Who decided what the fleet log carries out: new epochs, revocations, ends. An entry counts by itself, since all three only
 * take from what a ledger proves; who stands behind it is shown where the bundle holds the statement, and said where not.
 */
export function verifyFleetDecisions(scope: readonly Enrolment[], statements: Statements, context: Context): void {
  const { fleet, checklist } = context;
  const asked = new Set(scope.map(({ origin }) => origin));
  for (const entry of fleet.decisions) {
    const about = `${entry.kind} of ${entry.origin ?? (entry.kind === "revoke" ? `key ${entry.keyId}` : "a ledger")}`;
    const found = entry.statement ? statements.find(entry.statement) : undefined;
    if (found === undefined) {
      if (entry.origin !== null && !asked.has(entry.origin)) continue;
      checklist.skipped(name, about, "the bundle holds no signed statement of it: it is the plane's word");
      continue;
    }
    // By the person's own old key, and checked where the keys of people are.
    if (found.envelope.statement.predicateType === keyRotationType) continue;
    const by = signersOf(found, statements);
    if (by === "") {
      checklist.skipped(name, about, "nobody whom the trust file lets manage the fleet has signed it");
      continue;
    }
    checklist.attempt(
      name,
      about,
      () => requireSame(entry, found, context),
      ({ reason }) => `by ${by}: ${reason}`,
    );
  }
}

function signersOf(found: ProvenStatement, statements: Statements): string {
  return namesOf(statements.signers(found, { action: "manage-fleet", repository: "*" }));
}

const decisionOf = { epoch: "accept-epoch", revoke: "revoke", decommission: "decommission" } as const;

/** @throws EvidenceError where the entry does something else than was signed */
function requireSame(entry: Epoch | Revoke | Decommission, found: ProvenStatement, { fleet }: Context): FleetDecision {
  if (found.envelope.statement.predicateType !== fleetDecisionType) throw differs("is no decision about the fleet");
  const said = parseFleetDecision(found.envelope.statement);
  if (said.decision !== decisionOf[entry.kind]) throw differs(`decides to ${said.decision}`);
  if (said.origin !== entry.origin) throw differs(`is about ${said.origin ?? "a person's key"}`);
  const enrolment = entry.origin === null ? undefined : fleet.enrolments.get(entry.origin);
  if (enrolment !== undefined && said.subject !== digestFromHash(enrolment.genesisHash)) {
    throw differs("is about a ledger that begins with another entry");
  }
  if (entry.kind !== "revoke") return said;
  if (said.keyId !== entry.keyId) throw differs(`revokes key ${said.keyId}`);
  if ((said.compromiseTime ?? null) !== entry.compromiseTime) throw differs("names another time of the compromise");
  return said;
}

function differs(what: string): EvidenceError {
  return new EvidenceError("statement-invalid", `the statement that the entry names ${what}`);
}
