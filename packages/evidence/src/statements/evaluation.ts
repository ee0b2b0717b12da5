import type { JsonObject } from "../content/i-json.ts";
import { given, type JsonField } from "../content/json-field.ts";
import type { Digest } from "../digest.ts";
import { type ResourceDescriptor, readResourceDescriptor, writeResourceDescriptor } from "./resource-descriptor.ts";
import { makeStatement, onlySubject, predicateOf, type Statement } from "./statement.ts";

/** in-toto's test result. */
export const evaluationType = "https://in-toto.io/attestation/test-result/v0.1";

/** A model was tested. Subject: the manifest. */
export interface Evaluation {
  readonly subject: Digest;
  readonly result: "PASSED" | "WARNED" | "FAILED";
  /** What it was tested with: test data, thresholds, code. */
  readonly configuration: readonly ResourceDescriptor[];
  readonly url?: string;
  readonly passedTests?: readonly string[];
  readonly warnedTests?: readonly string[];
  readonly failedTests?: readonly string[];
  /** Measures by name. An extension of ours, field `urn:tally:metrics`. */
  readonly metrics?: Readonly<Record<string, number>>;
}

const metricsField = "urn:tally:metrics";

export function evaluationStatement(evaluation: Evaluation): Statement {
  const { subject, result, configuration, url, passedTests, warnedTests, failedTests, metrics } = evaluation;
  return makeStatement([{ digest: subject }], evaluationType, {
    result,
    configuration: configuration.map(writeResourceDescriptor),
    ...given("url", url),
    ...given("passedTests", passedTests),
    ...given("warnedTests", warnedTests),
    ...given("failedTests", failedTests),
    ...given(metricsField, metrics),
  } as JsonObject);
}

/** @throws EvidenceError `statement-invalid` naming the field */
export function parseEvaluation(statement: Statement): Evaluation {
  const predicate = predicateOf(statement, evaluationType);
  const names = (field: JsonField) => field.list((name) => name.text());
  return Object.freeze({
    subject: onlySubject(statement),
    result: predicate.at("result").oneOf("PASSED", "WARNED", "FAILED"),
    configuration: predicate.at("configuration").list(readResourceDescriptor),
    ...predicate.maybe("url", (f) => f.text()),
    ...predicate.maybe("passedTests", names),
    ...predicate.maybe("warnedTests", names),
    ...predicate.maybe("failedTests", names),
    ...given("metrics", predicate.at(metricsField).optional(readMetrics)),
  });
}

function readMetrics(field: JsonField): Readonly<Record<string, number>> {
  const names = Object.keys(field.object());
  return Object.freeze(Object.fromEntries(names.map((name) => [name, field.at(name).number()])));
}
