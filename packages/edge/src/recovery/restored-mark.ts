import { join } from "node:path";
import { readIfPresent, removeDurably, writeDurably } from "../folder/durable-file.ts";
import { asCount, parseObject } from "../folder/json.ts";

/** Entries [from, to) that are being fetched back from the mirror, until the ledger itself says so. */
export interface RestoredMark {
  readonly from: number;
  readonly to: number;
}

export function writeRestoredMark(stateFolder: string, mark: RestoredMark): Promise<void> {
  return writeDurably(markPath(stateFolder), `${JSON.stringify(mark)}\n`);
}

export async function readRestoredMark(stateFolder: string): Promise<RestoredMark | undefined> {
  const path = markPath(stateFolder);
  const bytes = await readIfPresent(path);
  if (bytes === undefined) return undefined;
  const { from, to } = parseObject(new TextDecoder().decode(bytes), path, "damaged");
  return { from: asCount(from, `${path}: from`, "damaged"), to: asCount(to, `${path}: to`, "damaged") };
}

export function removeRestoredMark(stateFolder: string): Promise<void> {
  return removeDurably(markPath(stateFolder));
}

function markPath(stateFolder: string): string {
  return join(stateFolder, "restored.json");
}
