import { join } from "node:path";
import type { RotationRequest } from "@tally/evidence";
import type { Clock } from "@tally/ledger";
import { EdgeError } from "../error.ts";
import type { DeviceFolder } from "../folder/device-folder.ts";
import { readIfPresent, removeDurably, writeDurably } from "../folder/durable-file.ts";
import { parseObject } from "../folder/json.ts";
import { type DeviceIdentity, readSigners } from "../identity.ts";
import { askPlane, jsonBody } from "../plane/http.ts";
import { PlaneSession } from "../plane/session.ts";
import { nextKeys, rememberKeys, settleKeys } from "./key-folders.ts";

/** A handover that was signed and that the plane may or may not have taken. */
export async function readRotation(folder: DeviceFolder): Promise<RotationRequest | undefined> {
  const path = rotationPath(folder);
  const bytes = await readIfPresent(path);
  if (bytes === undefined) return undefined;
  return parseObject(new TextDecoder().decode(bytes), path, "damaged") as unknown as RotationRequest;
}

export function writeRotation(folder: DeviceFolder, request: RotationRequest): Promise<void> {
  return writeDurably(rotationPath(folder), `${JSON.stringify(request)}\n`);
}

/**
 * Brings a handover to the plane and, once it is taken, makes the new keys the device's. May stop anywhere and be called again.
 *
 * @returns whether the new keys are in use; false where there is none under way, or the plane will not take it: the ledger has
 *   moved on under the old keys, and a new handover is needed.
 * @throws EdgeError `unreachable`, `blocked`
 */
export async function finishRotation(
  folder: DeviceFolder,
  { deviceId, origin }: DeviceIdentity,
  url: string,
  clock: Clock,
): Promise<boolean> {
  await settleKeys(folder, false);
  const request = await readRotation(folder);
  if (request === undefined) return false;
  const taken = await bring(request, folder, deviceId, origin, url, clock);
  if (taken) {
    await rememberKeys(folder, await readSigners(folder, origin));
    await settleKeys(folder, true);
  }
  await removeDurably(rotationPath(folder));
  return taken;
}

/** With the old keys, and where the plane no longer takes those, with the new ones. */
async function bring(
  request: RotationRequest,
  folder: DeviceFolder,
  deviceId: string,
  origin: string,
  url: string,
  clock: Clock,
): Promise<boolean> {
  for (const keys of [folder, nextKeys(folder)]) {
    try {
      const session = new PlaneSession(url, keys, origin, clock);
      const path = `/api/v1/devices/${deviceId}/keys`;
      await askPlane(url, { method: "POST", path, session, body: jsonBody(request) });
      return true;
    } catch (error) {
      if (!(error instanceof EdgeError) || !["plane-refused", "denied"].includes(error.code)) throw error;
    }
  }
  return false;
}

function rotationPath(folder: DeviceFolder): string {
  return join(folder.state, "rotation.json");
}
