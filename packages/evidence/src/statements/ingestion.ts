import { given, type JsonField } from "../content/json-field.ts";
import type { Digest } from "../digest.ts";
import { type NamedFile, readNamedFile, writeNamedFile } from "./named-file.ts";
import { makeStatement, predicateOf, requireSubjects, type Statement } from "./statement.ts";

export const ingestionType = "urn:tally:ingestion:v1";

/** A dataset came in: from where, under which licence, and which files it is. Subjects: the files. */
export interface Ingestion {
  /** Where the data comes from: a URL, or a name that people find it by. */
  readonly source: string;
  /** SPDX licence expression. */
  readonly license: string;
  readonly citation?: string;
  readonly rows?: number;
  readonly files: readonly NamedFile[];
  readonly splits?: readonly Split[];
}

/** A part of the data set aside for a purpose. */
export interface Split {
  readonly name: string;
  readonly rows: number;
  /** Of the file that holds the part, or of the list of its rows. */
  readonly digest?: Digest;
}

export function ingestionStatement(ingestion: Ingestion): Statement {
  const { source, license, citation, rows, files } = ingestion;
  const splits = ingestion.splits?.map(({ name, rows, digest }) => ({ name, rows, ...given("digest", digest) }));
  return makeStatement(files, ingestionType, {
    source,
    license,
    ...given("citation", citation),
    ...given("rows", rows),
    files: files.map(writeNamedFile),
    ...given("splits", splits),
  });
}

/** @throws EvidenceError `statement-invalid` naming the field */
export function parseIngestion(statement: Statement): Ingestion {
  const predicate = predicateOf(statement, ingestionType);
  const files = predicate.at("files").nonEmptyList(readNamedFile);
  requireSubjects(
    statement,
    files.map((file) => file.digest),
    "predicate.files",
  );
  return Object.freeze({
    source: predicate.at("source").text(),
    license: predicate.at("license").text(),
    ...predicate.maybe("citation", (f) => f.text()),
    ...predicate.maybe("rows", (f) => f.uint()),
    files,
    ...predicate.maybe("splits", (f) => f.list(readSplit)),
  });
}

function readSplit(field: JsonField): Split {
  return Object.freeze({
    name: field.at("name").text(),
    rows: field.at("rows").uint(),
    ...field.maybe("digest", (f) => f.digest()),
  });
}
