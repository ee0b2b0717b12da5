import {
  type Digest,
  type Envelope,
  modelSignatureType,
  modelType,
  parseEnvelope,
  parseModel,
  trainingType,
} from "@tally/evidence";
import type { StatementRow } from "../audit/source.ts";

/** Where statements are found. */
export interface StatementSource {
  /** Statements with this subject, by index. */
  about(subject: Digest): Promise<readonly StatementRow[]>;
  row(envelope: Digest): Promise<StatementRow | undefined>;
  envelope(digest: Digest): Promise<Uint8Array>;
}

/** A statement of the log, read. */
export interface FoundStatement {
  readonly row: StatementRow;
  readonly envelope: Envelope;
}

/**
 * What a decision on a model stands on, in the order of the log: statements about its manifest, the model signature that
 * its model statement names, and how its files were trained. Other types than `types` are left out.
 */
export async function statementsOfModel(
  source: StatementSource,
  manifest: Digest,
  types: ReadonlySet<string>,
): Promise<readonly FoundStatement[]> {
  const found = new Map<Digest, FoundStatement>();
  async function find(row: StatementRow | undefined): Promise<Envelope | undefined> {
    if (row === undefined || !types.has(row.predicateType)) return undefined;
    const envelope = found.get(row.envelope)?.envelope ?? parseEnvelope(await source.envelope(row.envelope));
    found.set(row.envelope, { row, envelope });
    return envelope;
  }
  const files = new Set<Digest>();
  for (const row of await source.about(manifest)) {
    const envelope = await find(row);
    if (envelope === undefined || row.predicateType !== modelType) continue;
    const model = parseModel(envelope.statement);
    const signature = await source.row(model.signature);
    if (signature?.predicateType === modelSignatureType) await find(signature);
    for (const { digest } of model.files) files.add(digest);
  }
  for (const file of files) {
    for (const row of await source.about(file)) if (row.predicateType === trainingType) await find(row);
  }
  return [...found.values()].sort((a, b) => a.row.index - b.row.index);
}

/** The repositories whose model this manifest is said to be, newest word first. */
export async function repositoriesOf(source: StatementSource, manifest: Digest): Promise<readonly string[]> {
  const rows = (await source.about(manifest)).filter(({ predicateType }) => predicateType === modelType);
  const names = await Promise.all(
    rows.map(async ({ envelope }) => parseModel(parseEnvelope(await source.envelope(envelope)).statement).repository),
  );
  return [...new Set(names.reverse())];
}
