import type { Digest } from "../digest.ts";
import {
  ingestionType,
  type Model,
  parseIngestion,
  parseSelection,
  parseTraining,
  type Selection,
  selectionType,
  trainingType,
} from "../statements/index.ts";
import type { Checklist } from "./check.ts";
import type { Context } from "./context.ts";
import type { Statements } from "./proven-statements.ts";

/** Where a model comes from, as its training statement says and as signed statements about its data confirm. */
export interface Origin {
  readonly trainedBy: readonly string[];
  readonly data: readonly DataOrigin[];
  /** Manifests or files of models that it was made from. */
  readonly parents: readonly Digest[];
}

export interface DataOrigin {
  readonly name: string;
  readonly digest: Digest;
  /** What a signed ingestion says; null where no statement of the bundle covers the data. */
  readonly source: string | null;
  readonly license: string | null;
  /** Segments of device ledgers, where the data came back from the field. */
  readonly segments: readonly { readonly origin: string; readonly from: number; readonly to: number }[];
}

const name = { training: "training", data: "training data" };

/** Follows a model to its data. A model without a training statement can still be proven to have run. */
export function verifyOrigin(model: Model, statements: Statements, { checklist }: Context): Origin {
  const { manifest, repository, files } = model;
  const outputs = statements.about([manifest, ...files.map(({ digest }) => digest)]);
  const trainings = statements
    .said(outputs, trainingType, parseTraining)
    .map(({ from, said }) => ({ said, by: statements.signers(from, { action: "train", repository }) }))
    .filter(({ by }) => by.length > 0);
  if (trainings.length === 0) {
    checklist.skipped(name.training, manifest, "no statement of someone who may says how it was trained");
    return { trainedBy: [], data: [], parents: [] };
  }
  const data: DataOrigin[] = [];
  const parents: Digest[] = [];
  for (const dependency of trainings.flatMap(({ said }) => said.dependencies)) {
    const { digest, role } = dependency;
    if (digest === undefined) continue;
    if (role === "model") parents.push(digest);
    if (role !== "dataset" && role !== "segment") continue;
    data.push(verifyData(dependency.name ?? dependency.uri ?? "data", digest, repository, statements, checklist));
  }
  const trainedBy = [...new Set(trainings.flatMap(({ by }) => by.map((identity) => identity.name)))];
  const what = `by ${trainedBy.join(", ")}, from ${data.length} data and ${parents.length} models`;
  checklist.good(name.training, manifest, what);
  return { trainedBy, data, parents };
}

function verifyData(
  dataName: string,
  digest: Digest,
  repository: string,
  statements: Statements,
  checklist: Checklist,
): DataOrigin {
  const about = statements.about(digest);
  for (const { from, said } of statements.said(about, ingestionType, parseIngestion)) {
    if (statements.signers(from, { action: "ingest", repository }).length === 0) continue;
    const { source, license } = said;
    checklist.good(name.data, digest, `${dataName}: ingested from ${source}`);
    return { name: dataName, digest, source, license, segments: [] };
  }
  const selected = statements
    .said(about, selectionType, parseSelection)
    .filter(({ from }) => statements.signers(from, { action: "select", repository }).length > 0)
    .map(({ said }) => said);
  const [first] = selected;
  if (first !== undefined) {
    const { segments, missing } = allParts(first, selected);
    const what = `${dataName}: ${segments.length} segments from the field`;
    if (missing > 0) checklist.skipped(name.data, digest, `${what}; ${missing} parts of the selection are not here`);
    else checklist.good(name.data, digest, what);
    return { name: dataName, digest, source: `records made by ${first.model}`, license: null, segments };
  }
  checklist.skipped(name.data, digest, `${dataName}: no signed ingestion or selection of it is in the bundle`);
  return { name: dataName, digest, source: null, license: null, segments: [] };
}

/** The segments of a selection that took several statements, each part once. */
function allParts(
  first: Selection,
  selected: readonly Selection[],
): { readonly segments: Selection["segments"]; readonly missing: number } {
  if (first.part === undefined) return { segments: first.segments, missing: 0 };
  const { of } = first.part;
  const parts = new Map<number, Selection["segments"]>();
  for (const { part, segments, model } of selected) {
    if (part?.of === of && model === first.model && !parts.has(part.number)) parts.set(part.number, segments);
  }
  const inOrder = [...parts].sort(([a], [b]) => a - b);
  return { segments: inOrder.flatMap(([, segments]) => segments), missing: of - parts.size };
}
