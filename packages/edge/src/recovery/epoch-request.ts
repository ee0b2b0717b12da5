import { join } from "node:path";
import type { DeviceFolder } from "../folder/device-folder.ts";
import { readIfPresent, removeDurably, writeDurably } from "../folder/durable-file.ts";
import { asCount, asText, parseObject } from "../folder/json.ts";

/** What the plane has to be asked before it takes the new epoch's entries. Kept until it has answered. */
export interface PendingRequest {
  readonly previous: number;
  /** The checkpoint of size 1 over the genesis entry. */
  readonly note: string;
  readonly from: number | null;
  readonly orphanSize: number;
  readonly token?: string;
}

export async function readRequest(folder: DeviceFolder): Promise<PendingRequest | undefined> {
  const path = requestPath(folder);
  const bytes = await readIfPresent(path);
  if (bytes === undefined) return undefined;
  const { previous, note, from, orphanSize, token } = parseObject(new TextDecoder().decode(bytes), path, "damaged");
  return {
    previous: asCount(previous, `${path}: previous`, "damaged"),
    note: asText(note, `${path}: note`, "damaged"),
    from: from === null ? null : asCount(from, `${path}: from`, "damaged"),
    orphanSize: asCount(orphanSize, `${path}: orphanSize`, "damaged"),
    ...(token !== undefined && { token: asText(token, `${path}: token`, "damaged") }),
  };
}

export function writeRequest(folder: DeviceFolder, request: PendingRequest): Promise<void> {
  return writeDurably(requestPath(folder), `${JSON.stringify(request)}\n`);
}

export function removeRequest(folder: DeviceFolder): Promise<void> {
  return removeDurably(requestPath(folder));
}

function requestPath(folder: DeviceFolder): string {
  return join(folder.state, "epoch-request.json");
}
