import { join } from "node:path";
import { type Checkpoint, parseCheckpoint } from "@tally/evidence";
import { readIfPresent, writeDurably } from "../folder/durable-file.ts";
import type { PlaneCheckpoint } from "./plane-checkpoint.ts";

/**
 * The newest plane checkpoint this device has verified: whatever the plane shows later must continue it. It was verified when it
 * was pinned, by the trust file of that day; a later trust file with other witnesses does not undo what was seen.
 */
export async function readPin(stateFolder: string): Promise<Checkpoint | undefined> {
  const bytes = await readIfPresent(pinPath(stateFolder));
  return bytes === undefined ? undefined : parseCheckpoint(bytes).checkpoint;
}

/** The complete note, to be shown to the plane. */
export async function readPinnedNote(stateFolder: string): Promise<string | undefined> {
  const bytes = await readIfPresent(pinPath(stateFolder));
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

/** Call with a checkpoint that `requireGrowth` accepted. */
export function writePin(stateFolder: string, { note }: PlaneCheckpoint): Promise<void> {
  return writeDurably(pinPath(stateFolder), note);
}

function pinPath(stateFolder: string): string {
  return join(stateFolder, "plane-checkpoint");
}
