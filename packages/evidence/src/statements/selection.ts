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
}

/** Rows of one segment: entries `from` up to, not including, `to` of the ledger. */
export interface SelectedSegment {
  readonly manifest: Digest;
  readonly origin: string;
  readonly from: number;
  readonly to: number;
  readonly rows: number;
}

export function selectionStatement(subjects: readonly NamedDigest[], selection: Selection): Statement {
  const { model, segments, filters } = selection;
  return makeStatement(subjects, selectionType, {
    model,
    segments: segments.map(({ manifest, origin, from, to, rows }) => ({ manifest, origin, from, to, rows })),
    filters,
  });
}

/** @throws EvidenceError `statement-invalid` naming the field */
export function parseSelection(statement: Statement): Selection {
  const predicate = predicateOf(statement, selectionType);
  return Object.freeze({
    model: predicate.at("model").digest(),
    segments: predicate.at("segments").nonEmptyList(readSegment),
    filters: predicate.at("filters").object(),
  });
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
