import {
  type Digest,
  type LineageResponse,
  modelType,
  parseDigest,
  parseEnvelope,
  parseModel,
  type SegmentItem,
} from "@tally/evidence";
import { type Database, isContentDigest, OciError, type Registry } from "@tally/oci";
import { LineageGraph } from "./lineage-graph.ts";
import { markQuarantined } from "./lineage-quarantines.ts";
import { followStatement } from "./lineage-steps.ts";
import type { Quarantines } from "./quarantines.ts";
import type { Statements } from "./statements.ts";

export interface LineageOptions {
  readonly db: Database;
  readonly statements: Statements;
  /** Segments lie in their model's repository and name the model as their subject. */
  readonly registry: Pick<Registry, "repository">;
  readonly quarantines: Pick<Quarantines, "list">;
}

/** Artifacts asked about in one query of the database. */
const artifactsAtOnce = 500;

interface LedgerSegment {
  readonly artifact: string;
  readonly origin: string;
  readonly idx: number;
  readonly from_idx: number;
  readonly to_idx: number;
  readonly device_id: string;
  readonly name: string | null;
}

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
        followStatement({ digest, item, statement }, graph);
      }
      if (graph.kindOf(digest) === "segment") await this.#followSegment(digest, repositories, graph);
    }
    for (const item of await this.#options.quarantines.list()) markQuarantined(item, graph);
    return graph.response(root);
  }

  /**
   * Segments with records of this model, by ledger and range: of what the registry holds for it, only those that a
   * device's ledger names.
   */
  async segmentsOf(model: Digest, repository: string): Promise<readonly SegmentItem[]> {
    const found: SegmentItem[] = [];
    let digests: string[] = [];
    const look = async () => {
      for (const { artifact, origin, idx, from_idx, to_idx, device_id } of await this.#ledgerSegments(digests)) {
        found.push({
          manifest: artifact as Digest,
          origin,
          deviceId: device_id,
          from: from_idx,
          to: to_idx,
          index: idx,
        });
      }
      digests = [];
    };
    for await (const { digest } of this.#options.registry.repository(repository).referrers(model)) {
      if (digests.push(digest) === artifactsAtOnce) await look();
    }
    await look();
    return found.sort((a, b) => (a.origin < b.origin ? -1 : a.origin > b.origin ? 1 : a.index - b.index));
  }

  /** What ledgers of enrolled devices name as their segments. */
  async #ledgerSegments(artifacts: readonly string[]): Promise<readonly LedgerSegment[]> {
    if (artifacts.length === 0) return [];
    return this.#options.db.query<LedgerSegment>(
      `SELECT s.artifact, s.origin, s.idx, s.from_idx, s.to_idx, d.device_id, d.name FROM segment s JOIN device d ON d.origin = s.origin WHERE s.artifact IN (${artifacts.map(() => "?").join()}) ORDER BY s.origin, s.idx`,
      artifacts,
    );
  }

  async #followSegment(segment: Digest, repositories: ReadonlySet<string>, graph: LineageGraph): Promise<void> {
    const named = await this.#ledgerSegments([segment]);
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
