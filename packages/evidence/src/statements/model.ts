import { given } from "../content/json-field.ts";
import type { Digest } from "../digest.ts";
import { type NamedFile, readNamedFile, writeNamedFile } from "./named-file.ts";
import { makeStatement, onlySubject, predicateOf, type Statement } from "./statement.ts";

export const modelType = "urn:tally:model:v1";

/** A manifest in a registry is this model: these files, under that model signature. Subject: the manifest. */
export interface Model {
  readonly manifest: Digest;
  readonly repository: string;
  /** The model's files as they are unpacked, in the order of the model signature. */
  readonly files: readonly NamedFile[];
  /** The envelope of the OpenSSF model signature over these files. */
  readonly signature: Digest;
  /** The manifest of the model that this one was made from. */
  readonly base?: Digest;
}

export function modelStatement(model: Model): Statement {
  const { manifest, repository, files, signature, base } = model;
  return makeStatement([{ name: repository, digest: manifest }], modelType, {
    repository,
    files: files.map(writeNamedFile),
    signature,
    ...given("base", base),
  });
}

/** @throws EvidenceError `statement-invalid` naming the field */
export function parseModel(statement: Statement): Model {
  const predicate = predicateOf(statement, modelType);
  return Object.freeze({
    manifest: onlySubject(statement),
    repository: predicate.at("repository").text(255),
    files: predicate.at("files").nonEmptyList(readNamedFile),
    signature: predicate.at("signature").digest(),
    ...predicate.maybe("base", (f) => f.digest()),
  });
}
