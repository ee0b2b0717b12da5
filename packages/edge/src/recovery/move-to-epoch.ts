import { access, mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import type { Trust } from "@tally/evidence";
import type { Clock } from "@tally/ledger";
import { createKeys } from "../enroll/draft.ts";
import { writeFirstEntry } from "../enroll/first-entry.ts";
import type { DeviceFolder } from "../folder/device-folder.ts";
import { type DeviceIdentity, deviceIdentity, writeIdentity } from "../identity.ts";
import { takeStopMark } from "../recorder/stop-mark.ts";
import { writeSyncState } from "../sync/sync-state.ts";
import { genesisOfEpoch, readEpochDraft, removeEpochDraft } from "./epoch-draft.ts";
import { writeRequest } from "./epoch-request.ts";
import { removeRestoredMark } from "./restored-mark.ts";

/** Where a ledger lies that was given up, with the payloads that were captured under it. */
export function orphanFolder(folder: DeviceFolder, epoch: number): string {
  return join(folder.root, "epochs", String(epoch));
}

/**
 * Carries out a new epoch that was settled on: the old ledger is put aside, the new one begins with its genesis entry, and
 * the device is from then on the new origin. Nobody may have the old ledger open. May die anywhere and be called again.
 *
 * @returns the device's identity, the old one where no epoch is under way.
 */
export async function moveToEpoch(
  folder: DeviceFolder,
  identity: DeviceIdentity,
  trust: Trust,
  clock: Clock,
): Promise<DeviceIdentity> {
  const draft = await readEpochDraft(folder);
  if (draft === undefined) return identity;
  const next = deviceIdentity(trust.plane.name, draft.deviceId, draft.epoch);
  const aside = orphanFolder(folder, draft.previous);
  await mkdir(aside, { recursive: true, mode: 0o700 });
  await moveOnce(folder.journal, join(aside, "journal"));
  await moveOnce(folder.payloads, join(aside, "payloads"));
  if (draft.newKeys === true) {
    await moveOnce(folder.keys, join(aside, "keys"));
    await createKeys(folder);
  }
  const { note } = await writeFirstEntry(folder, await genesisOfEpoch(folder, draft, trust), clock);
  const { previous, predecessor, from, token } = draft;
  const { orphanSize } = predecessor;
  await writeRequest(folder, { previous, note, from, orphanSize, ...(token !== undefined && { token }) });
  // No clean stop: the salts that were drawn all count as used.
  await takeStopMark(folder.state);
  await removeRestoredMark(folder.state);
  await writeSyncState(folder.state, { mirrored: 0, at: clock.now() });
  await writeIdentity(folder, next);
  await removeEpochDraft(folder);
  return next;
}

/** The target is there only where it was moved before. */
async function moveOnce(from: string, to: string): Promise<void> {
  if (await isThere(to)) return;
  if (await isThere(from)) await rename(from, to);
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
