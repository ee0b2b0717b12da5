import { join } from "node:path";
import type { Trust } from "@tally/evidence";
import { readIfPresent, writeDurably } from "../folder/durable-file.ts";
import { openPlaneCheckpoint, type PlaneCheckpoint } from "./plane-checkpoint.ts";

/** The newest plane checkpoint this device has verified: whatever the plane shows later must continue it. */
export async function readPin(stateFolder: string, trust: Trust): Promise<PlaneCheckpoint | undefined> {
  const bytes = await readIfPresent(pinPath(stateFolder));
  return bytes === undefined ? undefined : openPlaneCheckpoint(new TextDecoder().decode(bytes), trust);
}

/** Call with a checkpoint that `requireGrowth` accepted. */
export function writePin(stateFolder: string, { note }: PlaneCheckpoint): Promise<void> {
  return writeDurably(pinPath(stateFolder), note);
}

function pinPath(stateFolder: string): string {
  return join(stateFolder, "plane-checkpoint");
}
