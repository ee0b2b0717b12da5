import type { LineageNode, LineageResponse } from "@tally/evidence";

export const maxLineageDepth = 32;
export const maxLineageNodes = 10_000;
const maxEdges = 50_000;

type Kind = LineageNode["kind"];

/** What is known of a node; later words add to earlier ones. */
export interface Described {
  readonly kind: Kind;
  readonly name?: string;
  readonly detail?: string;
}

interface Node {
  readonly id: string;
  kind: Kind;
  name: string | undefined;
  readonly details: Set<string>;
  readonly depth: number;
}

/** A statement about an artifact says more of its kind than a mention of it does. */
const weight: Readonly<Record<Kind, number>> = {
  artifact: 0,
  file: 1,
  dataset: 2,
  segment: 3,
  selection: 3,
  device: 3,
  model: 4,
};

/** The graph while it is walked, breadth first: every node is followed once, so loops end. */
export class LineageGraph {
  readonly #nodes = new Map<string, Node>();
  readonly #edges = new Map<string, LineageResponse["edges"][number]>();
  readonly #outgoing = new Set<string>();
  readonly #waiting: string[] = [];

  constructor(root: string) {
    this.#nodes.set(root, { id: root, kind: "artifact", name: undefined, details: new Set(), depth: 0 });
    this.#waiting.push(root);
  }

  /** The next artifact to be followed. */
  next(): string | undefined {
    for (;;) {
      const id = this.#waiting.shift();
      if (id === undefined) return undefined;
      const node = this.#nodes.get(id)!;
      if (node.depth < maxLineageDepth) return id;
      node.details.add("not followed further");
    }
  }

  kindOf(id: string): Kind | undefined {
    return this.#nodes.get(id)?.kind;
  }

  /** Every node's id, devices' among them. */
  ids(): Iterable<string> {
    return this.#nodes.keys();
  }

  /** Says more of a node that is there. */
  describe(id: string, { kind, name, detail }: Described): void {
    const node = this.#nodes.get(id);
    if (node === undefined) return;
    if (weight[kind] > weight[node.kind]) node.kind = kind;
    node.name ??= name;
    if (detail !== undefined) node.details.add(detail);
  }

  /** `from` was made from `to`. A `to` that is new is followed later, unless `leaf`. False where there is no more room. */
  link(from: string, to: string, relation: string, described: Described, leaf: "leaf" | "follow" = "follow"): boolean {
    const source = this.#nodes.get(from);
    if (source === undefined) return false;
    const known = this.#nodes.has(to);
    if ((!known && this.#nodes.size >= maxLineageNodes) || this.#edges.size >= maxEdges) {
      source.details.add("more was used than is shown");
      return false;
    }
    if (!known) {
      this.#nodes.set(to, {
        id: to,
        kind: described.kind,
        name: undefined,
        details: new Set(),
        depth: source.depth + 1,
      });
      if (leaf === "follow") this.#waiting.push(to);
    }
    this.describe(to, described);
    this.#edges.set(`${from} ${to} ${relation}`, { from, to, relation });
    this.#outgoing.add(`${from} ${relation}`);
    return true;
  }

  /** Whether something is said of what this was made from. */
  hasEdge(from: string, relation: string): boolean {
    return this.#outgoing.has(`${from} ${relation}`);
  }

  response(root: LineageResponse["root"]): LineageResponse {
    return {
      root,
      nodes: [...this.#nodes.values()].map(({ id, kind, name, details }) => ({
        id,
        kind,
        ...(name !== undefined && { name }),
        ...(details.size > 0 && { detail: [...details].join("; ") }),
      })),
      edges: [...this.#edges.values()],
    };
  }
}
