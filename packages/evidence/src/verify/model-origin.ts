import type { Digest } from "../digest.ts";
import {
  ingestionType,
  type Model,
  parseIngestion,
  parseSelection,
  parseTraining,
  selectionType,
  trainingType,
} from "../statements/index.ts";
import type { Context } from "./context.ts";
import { type ProvenStatement, signersOf, use } from "./proven-statements.ts";

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
export function verifyOrigin(model: Model, statements: readonly ProvenStatement[], context: Context): Origin {
  const { checklist, materials } = context;
  const outputs = new Set([model.manifest, ...model.files.map(({ digest }) => digest)]);
  const candidates = statements.filter(
    ({ envelope, subjects }) =>
      envelope.statement.predicateType === trainingType && subjects.some((subject) => outputs.has(subject)),
  );
  for (const candidate of candidates) use(candidate, materials);
  const trainings = candidates
    .map((from) => ({ from, by: signersOf(from, { action: "train", repository: model.repository }, context) }))
    .filter(({ by }) => by.length > 0);
  if (trainings.length === 0) {
    checklist.skipped(name.training, model.manifest, "no statement of someone who may says how it was trained");
    return { trainedBy: [], data: [], parents: [] };
  }
  const data: DataOrigin[] = [];
  const parents: Digest[] = [];
  for (const { from } of trainings) {
    for (const dependency of parseTraining(from.envelope.statement).dependencies) {
      if (dependency.digest === undefined) continue;
      if (dependency.role === "model") parents.push(dependency.digest);
      else if (dependency.role === "dataset" || dependency.role === "segment") {
        data.push(
          verifyData(dependency.name ?? dependency.uri ?? "data", dependency.digest, model, statements, context),
        );
      }
    }
  }
  const trainedBy = [...new Set(trainings.flatMap(({ by }) => by.map((identity) => identity.name)))];
  checklist.good(
    name.training,
    model.manifest,
    `by ${trainedBy.join(", ")}, from ${data.length} data and ${parents.length} models`,
  );
  return { trainedBy, data, parents };
}

function verifyData(
  dataName: string,
  digest: Digest,
  model: Model,
  statements: readonly ProvenStatement[],
  context: Context,
): DataOrigin {
  const { checklist, materials } = context;
  const about = statements.filter(({ subjects }) => subjects.includes(digest));
  for (const statement of about) use(statement, materials);
  for (const from of about) {
    const type = from.envelope.statement.predicateType;
    if (
      type === ingestionType &&
      signersOf(from, { action: "ingest", repository: model.repository }, context).length > 0
    ) {
      const { source, license } = parseIngestion(from.envelope.statement);
      checklist.good(name.data, digest, `${dataName}: ingested from ${source}`);
      return { name: dataName, digest, source, license, segments: [] };
    }
    if (
      type === selectionType &&
      signersOf(from, { action: "select", repository: model.repository }, context).length > 0
    ) {
      const { segments, model: collectedBy } = parseSelection(from.envelope.statement);
      checklist.good(name.data, digest, `${dataName}: ${segments.length} segments from the field`);
      return { name: dataName, digest, source: `records made by ${collectedBy}`, license: null, segments };
    }
  }
  checklist.skipped(name.data, digest, `${dataName}: no signed ingestion or selection of it is in the bundle`);
  return { name: dataName, digest, source: null, license: null, segments: [] };
}
