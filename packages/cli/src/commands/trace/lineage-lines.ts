import type { LineageResponse } from "@tally/evidence";

type Node = LineageResponse["nodes"][number];

const mostPerRelation = 12;

/** The graph as a tree from its root. What stands there already is not repeated, only named. */
export function lineageLines({ root, nodes, edges }: LineageResponse): readonly string[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const from = Map.groupBy(edges, (edge) => edge.from);
  const seen = new Set<string>();
  const lines: string[] = [];
  const write = (id: string, indent: string, relation: string) => {
    const again = seen.has(id);
    seen.add(id);
    lines.push(`${indent}${relation}${describe(id, byId.get(id))}${again && from.has(id) ? " (above)" : ""}`);
    if (again) return;
    for (const [name, group] of Map.groupBy(from.get(id) ?? [], (edge) => edge.relation)) {
      for (const edge of group.slice(0, mostPerRelation)) write(edge.to, `${indent}  `, `${name}: `);
      const more = group.length - mostPerRelation;
      if (more > 0) lines.push(`${indent}  ${name}: and ${more} more (--json lists them)`);
    }
  };
  write(root, "", "");
  return lines;
}

function describe(id: string, node: Node | undefined): string {
  if (node === undefined) return id;
  const { kind, name, detail } = node;
  return [kind, ...(name === undefined ? [] : [name]), id, ...(detail === undefined ? [] : [`(${detail})`])].join(" ");
}
