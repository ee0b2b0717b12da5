import type { JsonObject } from "../content/i-json.ts";
import type { JsonField } from "../content/json-field.ts";
import type { Digest } from "../digest.ts";
import { makeStatement, type NamedDigest, predicateOf, type Statement } from "./statement.ts";

export const selectionType = "urn:tally:selection:v1";

/** A training set was put together from segments. Subjects: the files of the set. */
export interface Selection {
  /** The manifest of the model whose records these are. */
  readonly model: Digest;
  readonly segments: readonly SelectedSegment[];
  /** What was asked for, such as a time range or "labelled only". */
  readonly filters: JsonObject;
  /** Where one statement cannot name all segments: which of how many about the same files this is, from 1. */
  readonly part?: { readonly number: number; readonly of: number };
}

/** Statements are limited in size; with more segments than this a selection takes several. */
export const mostSelectedSegments = 2000;

/** Rows of one segment: entries `from` up to, not including, `to` of the ledger. */
export interface SelectedSegment {
  readonly manifest: Digest;
  readonly origin: string;
  readonly from: number;
  readonly to: number;
  readonly rows: number;
}

export function selectionStatement(subjects: readonly NamedDigest[], selection: Selection): Statement {
  const { model, segments, filters, part } = selection;
  return makeStatement(subjects, selectionType, {
    model,
    segments: segments.map(({ manifest, origin, from, to, rows }) => ({ manifest, origin, from, to, rows })),
    filters,
    ...(part === undefined ? {} : { part: { number: part.number, of: part.of } }),
  });
}

/** A selection of any number of segments, as the statements that it takes. */
export function selectionStatements(
  subjects: readonly NamedDigest[],
  { model, segments, filters }: Omit<Selection, "part">,
): readonly Statement[] {
  const of = Math.ceil(segments.length / mostSelectedSegments);
  if (of <= 1) return [selectionStatement(subjects, { model, segments, filters })];
  return Array.from({ length: of }, (_, i) => {
    const some = segments.slice(i * mostSelectedSegments, (i + 1) * mostSelectedSegments);
    return selectionStatement(subjects, { model, segments: some, filters, part: { number: i + 1, of } });
  });
}

/** @throws EvidenceError `statement-invalid` naming the field */
export function parseSelection(statement: Statement): Selection {
  const predicate = predicateOf(statement, selectionType);
  return Object.freeze({
    model: predicate.at("model").digest(),
    segments: predicate.at("segments").nonEmptyList(readSegment),
    filters: predicate.at("filters").object(),
    ...predicate.maybe("part", readPart),
  });
}

function readPart(field: JsonField): { readonly number: number; readonly of: number } {
  const of = field.at("of").uint();
  const number = field.at("number");
  if (number.uint() < 1 || number.uint() > of) throw number.wrong(`a part from 1 to ${of}`);
  return Object.freeze({ number: number.uint(), of });
}

function readSegment(field: JsonField): SelectedSegment {
  const from = field.at("from").uint();
  const to = field.at("to");
  if (to.uint() <= from) throw to.wrong(`an index above ${from}`);
  return Object.freeze({
    manifest: field.at("manifest").digest(),
    origin: field.at("origin").text(255),
    from,
    to: to.uint(),
    rows: field.at("rows").uint(),
  });
}
