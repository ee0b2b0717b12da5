import { encodeJson, type JsonObject, parseJson } from "../content/i-json.ts";
import { given, JsonField } from "../content/json-field.ts";
import type { Digest } from "../digest.ts";
import { EvidenceError } from "../error.ts";

export const statementType = "https://in-toto.io/Statement/v1";

/** An in-toto Statement v1: `predicate` is said about `subject`. */
export interface Statement {
  readonly _type: typeof statementType;
  readonly subject: readonly StatementSubject[];
  readonly predicateType: string;
  readonly predicate: JsonObject;
}

export interface StatementSubject {
  readonly name?: string;
  /** SHA-256 as 64 lowercase hex digits, as in-toto writes it. */
  readonly digest: { readonly sha256: string };
}

/** A subject as callers name it. */
export interface NamedDigest {
  readonly name?: string;
  readonly digest: Digest;
}

/** Makes a statement of parts. @throws EvidenceError `statement-invalid` without a subject */
export function makeStatement(
  subjects: readonly NamedDigest[],
  predicateType: string,
  predicate: JsonObject,
): Statement {
  if (subjects.length === 0) throw new EvidenceError("statement-invalid", "a statement needs a subject");
  return Object.freeze({
    _type: statementType,
    subject: subjects.map(({ name, digest }) => ({
      ...given("name", name),
      digest: { sha256: digest.slice("sha256:".length) },
    })),
    predicateType,
    predicate,
  });
}

/**
 * Reads a statement. Unknown fields and further digest algorithms are ignored, as in-toto says; every subject must have
 * a SHA-256, which is the only identity here.
 *
 * @throws EvidenceError `statement-invalid` naming the field
 */
export function parseStatement(bytes: Uint8Array): Statement {
  const root = new JsonField(parseJson(bytes, "statement-invalid"), "", "statement-invalid");
  root.at("_type").oneOf(statementType);
  return Object.freeze({
    _type: statementType,
    subject: root.at("subject").nonEmptyList(readSubject),
    predicateType: root.at("predicateType").text(255),
    predicate: root.at("predicate").optional((f) => f.object()) ?? {},
  });
}

/** The statement as RFC 8785 JSON: the payload that is signed. */
export function encodeStatement(statement: Statement): Uint8Array {
  const { _type, subject, predicateType, predicate } = statement;
  const subjects = subject.map(({ name, digest }): JsonObject => ({ ...given("name", name), digest }) as JsonObject);
  return encodeJson({ _type, subject: subjects, predicateType, predicate });
}

/** The digests of the statement's subjects, in its order. */
export function subjectDigests(statement: Statement): readonly Digest[] {
  return statement.subject.map((subject) => `sha256:${subject.digest.sha256}` as Digest);
}

/** Fails unless the statement is of that type; the start of every predicate's parser. */
export function predicateOf(statement: Statement, predicateType: string): JsonField {
  if (statement.predicateType !== predicateType) {
    const message = `expected a statement of type ${predicateType}, found ${statement.predicateType}`;
    throw new EvidenceError("statement-invalid", message);
  }
  return new JsonField(statement.predicate, "predicate", "statement-invalid");
}

/** The digest of the one subject that the type allows. */
export function onlySubject(statement: Statement): Digest {
  const [subject, ...others] = subjectDigests(statement);
  if (subject === undefined || others.length > 0) {
    const message = `subject: a statement of type ${statement.predicateType} has one subject, not ${others.length + 1}`;
    throw new EvidenceError("statement-invalid", message);
  }
  return subject;
}

/** Fails unless the statement's subjects are exactly these digests, in any order. */
export function requireSubjects(statement: Statement, digests: readonly Digest[], what: string): void {
  const subjects = new Set(subjectDigests(statement));
  const expected = new Set(digests);
  if (subjects.size !== expected.size || digests.some((digest) => !subjects.has(digest))) {
    throw new EvidenceError("statement-invalid", `subject: the subjects are not the same as ${what}`);
  }
}

function readSubject(field: JsonField): StatementSubject {
  const sha256 = field.at("digest").at("sha256").sha256Hex().slice("sha256:".length);
  return Object.freeze({ ...field.maybe("name", (f) => f.text()), digest: Object.freeze({ sha256 }) });
}
