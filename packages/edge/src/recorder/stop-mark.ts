import { join } from "node:path";
import { readIfPresent, removeDurably, writeDurably } from "../folder/durable-file.ts";
import { asCount, parseObject } from "../folder/json.ts";

/** What a clean stop leaves behind: how many entries there were, and the first salt slot that nobody used. */
export interface StopMark {
  readonly size: number;
  readonly nextSlot: number;
}

export function writeStopMark(stateFolder: string, mark: StopMark): Promise<void> {
  return writeDurably(markPath(stateFolder), `${JSON.stringify(mark)}\n`);
}

/**
 * Takes the mark away, durably, before anything is written, so that it can only ever speak of the very last stop.
 * Undefined after an unclean stop.
 */
export async function takeStopMark(stateFolder: string): Promise<StopMark | undefined> {
  const path = markPath(stateFolder);
  const bytes = await readIfPresent(path);
  if (bytes === undefined) return undefined;
  const { size, nextSlot } = parseObject(new TextDecoder().decode(bytes), path, "damaged");
  await removeDurably(path);
  return {
    size: asCount(size, `${path}: size`, "damaged"),
    nextSlot: asCount(nextSlot, `${path}: nextSlot`, "damaged"),
  };
}

function markPath(stateFolder: string): string {
  return join(stateFolder, "stopped.json");
}
