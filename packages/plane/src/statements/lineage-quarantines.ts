import { concernsDevice, describeQuarantined, type QuarantineItem } from "@tally/evidence";
import type { LineageGraph } from "./lineage-graph.ts";

/** Says of artifacts and devices of the graph that they are under quarantine, or were. */
export function markQuarantined({ what, by, reason, repositories, lifted }: QuarantineItem, graph: LineageGraph): void {
  const word = lifted === null ? "under quarantine" : "was under quarantine";
  const where = what.kind === "device" ? `: ${describeQuarantined(what)}` : "";
  const some = lifted !== null || repositories.includes("*") ? "" : ` for ${repositories.join(", ")}`;
  const end = lifted === null ? "" : `, lifted by ${lifted.by.join(" and ")}`;
  const detail = `${word}${some} by ${by.join(" and ")}${where}: ${reason}${end}`;
  for (const id of idsOf(what, graph)) graph.describe(id, { kind: "artifact", detail });
}

function idsOf(what: QuarantineItem["what"], graph: LineageGraph): readonly string[] {
  switch (what.kind) {
    case "model":
    case "segment":
      return [what.manifest];
    case "dataset":
      return what.files.map(({ digest }) => digest);
    case "device":
      return [...graph.ids()].filter((id) => concernsDevice(what, id));
  }
}
