import { join } from "node:path";
import { readIfPresent, writeDurably } from "../folder/durable-file.ts";
import { asCount, asText, parseObject } from "../folder/json.ts";

/** How far the plane has this ledger, as of the last sync that it answered. */
export interface SyncState {
  /** Entries that the plane holds. */
  readonly mirrored: number;
  /** Size of the newest head that it holds, where that is ahead of its entries. */
  readonly proven?: number;
  /** Milliseconds by this device's clock. */
  readonly at: number;
  /** When the last anchor that the plane has was written: milliseconds by this device's clock. */
  readonly anchoredAt?: number;
  /** Why the plane keeps this device out, if it does. */
  readonly blocked?: string;
}

export async function readSyncState(stateFolder: string): Promise<SyncState | undefined> {
  const path = statePath(stateFolder);
  const bytes = await readIfPresent(path);
  if (bytes === undefined) return undefined;
  const { mirrored, proven, at, anchoredAt, blocked } = parseObject(new TextDecoder().decode(bytes), path, "damaged");
  return {
    mirrored: asCount(mirrored, `${path}: mirrored`, "damaged"),
    ...(proven !== undefined && { proven: asCount(proven, `${path}: proven`, "damaged") }),
    at: asCount(at, `${path}: at`, "damaged"),
    ...(anchoredAt !== undefined && { anchoredAt: asCount(anchoredAt, `${path}: anchoredAt`, "damaged") }),
    ...(blocked !== undefined && { blocked: asText(blocked, `${path}: blocked`, "damaged") }),
  };
}

export function writeSyncState(stateFolder: string, state: SyncState): Promise<void> {
  return writeDurably(statePath(stateFolder), `${JSON.stringify(state)}\n`);
}

function statePath(stateFolder: string): string {
  return join(stateFolder, "sync.json");
}
