import {
  type Digest,
  ingestionType,
  type LineageNode,
  modelType,
  parseIngestion,
  parseModel,
  parseSelection,
  parseTraining,
  type Statement,
  type StatementItem,
  selectionType,
  type TrainingDependency,
  trainingType,
} from "@tally/evidence";
import type { LineageGraph } from "./lineage-graph.ts";

const kindOfRole: Readonly<Record<string, LineageNode["kind"]>> = {
  dataset: "dataset",
  segment: "segment",
  model: "model",
};

/** A statement, and which of its subjects is being followed. */
export interface Said {
  readonly digest: Digest;
  readonly item: StatementItem;
  readonly statement: Statement;
}

/** Adds what one statement says of the artifact. */
export function followStatement({ digest, item, statement }: Said, graph: LineageGraph): void {
  const by = item.signedBy.join(" and ");
  switch (item.predicateType) {
    case modelType:
      followModel(digest, statement, by, graph);
      break;
    case trainingType: {
      const named = statement.subject.find(({ digest: { sha256 } }) => digest.endsWith(sha256))?.name;
      graph.describe(digest, {
        kind: "artifact",
        ...(named !== undefined && { name: named }),
        detail: `made by ${by}`,
      });
      for (const dependency of parseTraining(statement).dependencies) followDependency(digest, dependency, graph);
      break;
    }
    case ingestionType: {
      const { source, license, files } = parseIngestion(statement);
      const name = files.find((file) => file.digest === digest)?.name;
      const detail = `from ${source}, licence ${license}, ingested by ${by}`;
      graph.describe(digest, { kind: "dataset", ...named(name), detail });
      break;
    }
    case selectionType:
      followSelection({ digest, item, statement }, by, graph);
  }
}

function followModel(digest: Digest, statement: Statement, by: string, graph: LineageGraph): void {
  const { repository, files, base } = parseModel(statement);
  graph.describe(digest, { kind: "model", name: repository, detail: `signed by ${by}` });
  for (const file of files) graph.link(digest, file.digest, "contains", { kind: "file", name: file.name });
  if (base !== undefined) graph.link(digest, base, "based on", { kind: "model" });
}

function followDependency(digest: Digest, dependency: TrainingDependency, graph: LineageGraph): void {
  const { digest: used, role, relation, name, uri } = dependency;
  // A Git commit has no SHA-256, which is the only identity here; the statement still names it.
  if (used === undefined) return;
  const described = { kind: kindOfRole[role ?? ""] ?? "artifact", ...named(name ?? uri) } as const;
  graph.link(digest, used, relation ?? (role === "model" ? "made from" : `used ${role ?? "artifact"}`), described);
}

function followSelection({ digest, item, statement }: Said, by: string, graph: LineageGraph): void {
  const { segments, model } = parseSelection(statement);
  graph.describe(digest, { kind: "dataset", ...named(subjectName(digest, statement)) });
  const selection = { kind: "selection", name: `${segments.length} segments`, detail: `selected by ${by}` } as const;
  graph.link(digest, item.digest, "selected by", selection, "leaf");
  for (const { manifest, origin, from, to, rows } of segments) {
    const segment = { kind: "segment", name: `entries ${from} to ${to}`, detail: `${rows} rows` } as const;
    if (!graph.link(item.digest, manifest, "takes", segment)) return;
    graph.link(manifest, origin, "recorded on", { kind: "device" }, "leaf");
    graph.link(manifest, model, "records of", { kind: "model" });
  }
}

function named(name: string | undefined): { name?: string } {
  return name === undefined ? {} : { name };
}

function subjectName(subject: Digest, statement: Statement): string | undefined {
  return statement.subject.find(({ digest: { sha256 } }) => subject === `sha256:${sha256}`)?.name;
}
