import type { KeptRecord, Replayed } from "@tally/edge";
import { table } from "../../terminal/index.ts";

/** The verdict, how far off each output is, and what is not as it was. */
export function replayLines({ origin, index }: KeptRecord, replayed: Replayed): readonly string[] {
  const { verdict, comparison, circumstances, model } = replayed;
  return [
    ...table([
      ["record", `${origin} #${index}`],
      ["model", model],
      ...circumstances.map(({ name, recorded, now }) => [
        name,
        recorded === now
          ? now
          : `${now}; ${recorded === null ? "the ledger does not say what it was" : `recorded ${recorded}`}`,
      ]),
      ...(comparison.mismatch === null ? [] : [["outputs", comparison.mismatch]]),
      ...comparison.differences.map(({ name, differing, elements, maxAbsolute, maxRelative }) => [
        name,
        `${differing} of ${elements} elements differ, by at most ${maxAbsolute} (relative ${maxRelative})`,
      ]),
    ]),
    verdictLine(verdict, replayed),
  ];
}

function verdictLine(verdict: Replayed["verdict"], { circumstances }: Replayed): string {
  if (verdict !== "different") return verdict;
  const changed = circumstances.filter(({ recorded, now }) => recorded !== null && recorded !== now);
  if (changed.length > 0)
    return `DIFFERENT: so ${changed.length === 1 ? "is" : "are"} ${changed.map(({ name }) => name).join(", ")}`;
  return "DIFFERENT: with the same runtime and provider, as far as the ledger says";
}

export function replayAsJson({ origin, index }: KeptRecord, replayed: Replayed): unknown {
  const { verdict, comparison, circumstances, model } = replayed;
  const finite = (value: number) => (Number.isFinite(value) ? value : null);
  const differences = comparison.differences.map((difference) => ({
    ...difference,
    maxAbsolute: finite(difference.maxAbsolute),
    maxRelative: finite(difference.maxRelative),
  }));
  return { origin, index, model, verdict, mismatch: comparison.mismatch, differences, circumstances };
}
