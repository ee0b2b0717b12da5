import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { utf8 } from "../bytes.ts";
import type { JsonObject } from "../content/i-json.ts";
import { digestOf } from "../digest.ts";
import { type FleetDecision, fleetDecisionStatement, parseFleetDecision } from "./fleet-decision.ts";

const url = new URL("../../../../docs/schemas/fleet-decision.schema.json", import.meta.url);
const validate = new Ajv2020({ strict: true }).compile(JSON.parse(readFileSync(url, "utf8")));
const subject = digestOf(utf8("genesis"));
const origin = "tally.example/plane/d/00/0";
const keyId = "ab".repeat(32);
const revoke: FleetDecision = { decision: "revoke", subject, origin, keyId, compromiseTime: 7, reason: "stolen" };

const refused = (base: FleetDecision, change: JsonObject) => {
  const statement = fleetDecisionStatement(base);
  const predicate = { ...statement.predicate, ...change };
  assert.throws(() => parseFleetDecision({ ...statement, predicate }), { code: "statement-invalid" });
  return validate(predicate);
};

test("decisions are read as they were written, and as the schema has them", () => {
  const decisions: readonly FleetDecision[] = [
    revoke,
    { ...revoke, compromiseTime: null },
    { ...revoke, origin: null, subject: `sha256:${keyId}` as typeof subject },
    { decision: "accept-epoch", subject, origin, reason: "restored from the backup of Monday" },
    { decision: "reinstate", subject, origin, reason: "a bug of ours", settles: [subject] },
  ];
  for (const decision of decisions) {
    const statement = fleetDecisionStatement(decision);
    assert.deepEqual(parseFleetDecision(statement), decision);
    assert.ok(validate(statement.predicate), JSON.stringify(validate.errors));
  }
});

test("a revocation names the key and the time, a reinstatement what it settles, and only keys have no ledger", () => {
  const { keyId: _, ...withoutKey } = fleetDecisionStatement(revoke).predicate;
  assert.equal(validate(withoutKey), false);
  assert.equal(refused(revoke, { keyId: "AB" }), false);
  assert.equal(refused(revoke, { compromiseTime: -1 }), false);
  assert.equal(refused(revoke, { decision: "reinstate" }), false);
  assert.equal(refused({ ...revoke, decision: "decommission" }, { origin: null }), false);
  assert.throws(() => parseFleetDecision(fleetDecisionStatement({ ...revoke, origin: null })), /named by its key id/);
});
