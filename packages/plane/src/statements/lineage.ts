import {
  type Digest,
  ingestionType,
  type LineageNode,
  type LineageResponse,
  modelType,
  parseDigest,
  parseEnvelope,
  parseIngestion,
  parseModel,
  parseSelection,
  parseTraining,
  type SegmentItem,
  type Statement,
  type StatementItem,
  selectionType,
  type TrainingDependency,
  trainingType,
} from "@tally/evidence";
import { type Database, isContentDigest, OciError, type Registry } from "@tally/oci";
import { PlaneError } from "../error.ts";
import { LineageGraph } from "./lineage-graph.ts";
import { repositoriesOf } from "./model-statements.ts";
import type { Statements } from "./statements.ts";

export interface LineageOptions {
  readonly db: Database;
  readonly statements: Statements;
  /** Segments lie in their model's repository and name the model as their subject. */
  readonly registry: Pick<Registry, "repository">;
}

interface LedgerSegment {
  readonly origin: string;
  readonly idx: number;
  readonly from_idx: number;
  readonly to_idx: number;
  readonly device_id: string;
  readonly name: string | null;
}

const kindOfRole: Readonly<Record<string, LineageNode["kind"]>> = {
  dataset: "dataset",
  segment: "segment",
  model: "model",
};

/** What artifacts were made from, and what came back from the field, as signed statements and device ledgers say. */
export class Lineage {
  readonly #options: LineageOptions;

  constructor(options: LineageOptions) {
    this.#options = options;
  }

  /**
   * Walks from an artifact to everything it was made from: a model's files, what they were trained on, where that came
   * from, down to devices and to the models whose records they made. At most 32 steps and 10,000 nodes; a node beyond
   * which something was left out says so.
   */
  async of(root: Digest): Promise<LineageResponse> {
    const graph = new LineageGraph(root);
    const repositories = new Set<string>();
    for (let id = graph.next(); id !== undefined; id = graph.next()) {
      const digest = parseDigest(id);
      const items = await this.#options.statements.list({ subject: digest });
      for (const item of items) {
        const { statement } = parseEnvelope(await this.#options.statements.envelope(item.digest));
        if (item.predicateType === modelType) repositories.add(parseModel(statement).repository);
        follow({ digest, item, statement }, graph);
      }
      if (graph.kindOf(digest) === "segment") await this.#followSegment(digest, repositories, graph);
    }
    return graph.response(root);
  }

  /** The repository whose model this is said to be, by the newest model statement. @throws PlaneError `not-found` */
  async repositoryOf(model: Digest): Promise<string> {
    const [repository] = await repositoriesOf(this.#options.statements, model);
    if (repository !== undefined) return repository;
    throw new PlaneError("not-found", `no statement of the plane's log says that ${model} is a model`, {
      hint: "give the digest of the model's manifest",
    });
  }

  /**
   * Segments with records of this model, by ledger and range: of what the registry holds for it, only those that a
   * device's ledger names.
   */
  async segmentsOf(model: Digest, repository: string): Promise<readonly SegmentItem[]> {
    const found: SegmentItem[] = [];
    for await (const { digest } of this.#options.registry.repository(repository).referrers(model)) {
      for (const { origin, idx, from_idx, to_idx, device_id } of await this.#ledgerSegments(digest)) {
        found.push({
          manifest: digest as Digest,
          origin,
          deviceId: device_id,
          from: from_idx,
          to: to_idx,
          index: idx,
        });
      }
    }
    return found.sort((a, b) => (a.origin < b.origin ? -1 : a.origin > b.origin ? 1 : a.index - b.index));
  }

  #ledgerSegments(artifact: string): Promise<LedgerSegment[]> {
    return this.#options.db.query<LedgerSegment>(
      "SELECT s.origin, s.idx, s.from_idx, s.to_idx, d.device_id, d.name FROM segment s JOIN device d ON d.origin = s.origin WHERE s.artifact = ? ORDER BY s.origin, s.idx",
      [artifact],
    );
  }

  async #followSegment(segment: Digest, repositories: ReadonlySet<string>, graph: LineageGraph): Promise<void> {
    const named = await this.#ledgerSegments(segment);
    if (named.length === 0) graph.describe(segment, { kind: "segment", detail: "no mirrored ledger names it" });
    for (const { origin, from_idx, to_idx, name } of named) {
      graph.describe(segment, { kind: "segment", name: `entries ${from_idx} to ${to_idx}` });
      const device = { kind: "device", ...(name !== null && { name }) } as const;
      graph.link(segment, origin, "recorded on", device, "leaf");
    }
    if (graph.hasEdge(segment, "records of")) return;
    for (const repository of repositories) {
      const model = await this.#subjectOf(segment, repository);
      if (model !== undefined) graph.link(segment, model, "records of", { kind: "model" });
    }
  }

  /** What the segment's manifest, if the registry holds it there, names as its subject. */
  async #subjectOf(segment: Digest, repository: string): Promise<string | undefined> {
    try {
      const { manifest } = await this.#options.registry.repository(repository).manifest(segment);
      const digest = "subject" in manifest ? manifest.subject?.digest : undefined;
      return digest !== undefined && isContentDigest(digest) && digest.startsWith("sha256:") ? digest : undefined;
    } catch (error) {
      if (error instanceof OciError && ["not-found", "name-invalid"].includes(error.code)) return undefined;
      throw error;
    }
  }
}

interface Said {
  readonly digest: Digest;
  readonly item: StatementItem;
  readonly statement: Statement;
}

/** Adds what one statement says of the artifact. */
function follow({ digest, item, statement }: Said, graph: LineageGraph): void {
  const by = item.signedBy.join(" and ");
  switch (item.predicateType) {
    case modelType:
      return followModel(digest, statement, by, graph);
    case trainingType: {
      const named = statement.subject.find(({ digest: { sha256 } }) => digest.endsWith(sha256))?.name;
      graph.describe(digest, { kind: "artifact", ...(named !== undefined && { name: named }), detail: `made by ${by}` });
      for (const dependency of parseTraining(statement).dependencies) followDependency(digest, dependency, graph);
      return;
    }
    case ingestionType: {
      const { source, license, files } = parseIngestion(statement);
      const name = files.find((file) => file.digest === digest)?.name;
      const detail = `from ${source}, licence ${license}, ingested by ${by}`;
      return graph.describe(digest, { kind: "dataset", ...(name !== undefined && { name }), detail });
    }
    case selectionType:
      return followSelection(digest, item, statement, by, graph);
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

function followSelection(digest: Digest, item: StatementItem, statement: Statement, by: string, graph: LineageGraph) {
  const { segments, model } = parseSelection(statement);
  const name = statement.subject.find(({ digest: { sha256 } }) => digest.endsWith(sha256))?.name;
  graph.describe(digest, { kind: "dataset", ...named(name) });
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
