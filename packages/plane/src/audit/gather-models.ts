import {
  type Digest,
  modelType,
  parseEnvelope,
  parseModel,
  parseSelection,
  parseTraining,
  selectionType,
  trainingType,
} from "@tally/evidence";
import { gatherRangeQuarantines } from "./gather-quarantines.ts";
import { gatherStatement } from "./gather-statement.ts";
import type { Gathered } from "./gathered.ts";
import type { AuditSource, StatementRow } from "./source.ts";

/** Adds the statements behind a model: what it is made of, its signature, decisions, releases, training, and data. */
export async function gatherModel(source: AuditSource, manifest: Digest, gathered: Gathered): Promise<void> {
  const outputs = new Set<Digest>([manifest]);
  for (const row of await source.statementsAbout(manifest)) {
    const bytes = await gatherStatement(source, row, gathered);
    if (bytes === undefined || row.predicateType !== modelType) continue;
    const model = parseModel(parseEnvelope(bytes).statement);
    for (const { digest } of model.files) outputs.add(digest);
    const signature = await source.statement(model.signature);
    if (signature !== undefined) await gatherStatement(source, signature, gathered);
  }
  for (const output of outputs) {
    for (const row of await source.statementsAbout(output)) {
      if (row.predicateType === trainingType) await gatherTraining(source, row, gathered);
    }
  }
}

async function gatherTraining(source: AuditSource, row: StatementRow, gathered: Gathered): Promise<void> {
  const bytes = await gatherStatement(source, row, gathered);
  if (bytes === undefined) return;
  for (const { digest, role } of parseTraining(parseEnvelope(bytes).statement).dependencies) {
    if (digest === undefined || (role !== "dataset" && role !== "segment")) continue;
    for (const about of await source.statementsAbout(digest)) {
      const said = await gatherStatement(source, about, gathered);
      if (said === undefined || about.predicateType !== selectionType) continue;
      await gatherRangeQuarantines(source, parseSelection(parseEnvelope(said).statement).segments, gathered);
    }
  }
}
