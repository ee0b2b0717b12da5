import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { asHash, fromHex, type Genesis, generatePrivateKeyPem, randomBytes, type Trust, toHex } from "@tally/evidence";
import type { Clock } from "@tally/ledger";
import { EdgeError } from "../error.ts";
import type { DeviceFolder } from "../folder/device-folder.ts";
import { readIfPresent, writeDurably } from "../folder/durable-file.ts";
import { asCount, asText, parseObject } from "../folder/json.ts";
import { deviceIdentity, deviceKeys, keySetOf, readSigners } from "../identity.ts";
import { openPlaneCheckpoint, type PlaneCheckpoint } from "../sync/plane-checkpoint.ts";

/** What an enrolment has settled: however often it is tried, the same device with the same genesis asks. */
export interface EnrolmentDraft {
  readonly deviceId: string;
  readonly nonce: string;
  /** The cosigned plane checkpoint that becomes the first anchor. */
  readonly anchor: string;
  readonly time: number;
}

/** Makes the keys that are missing, each for its owner only. Never replaces one. */
export async function createKeys(folder: DeviceFolder): Promise<void> {
  await mkdir(folder.keys, { recursive: true, mode: 0o700 });
  for (const { algorithm, file } of deviceKeys) {
    const path = join(folder.keys, file);
    if ((await readIfPresent(path)) === undefined) await writeDurably(path, generatePrivateKeyPem(algorithm), 0o600);
  }
}

export async function readDraft(folder: DeviceFolder): Promise<EnrolmentDraft | undefined> {
  const path = draftPath(folder);
  const bytes = await readIfPresent(path);
  if (bytes === undefined) return undefined;
  const { deviceId, nonce, anchor, time } = parseObject(new TextDecoder().decode(bytes), path, "damaged");
  return {
    deviceId: asText(deviceId, `${path}: deviceId`, "damaged"),
    nonce: asText(nonce, `${path}: nonce`, "damaged"),
    anchor: asText(anchor, `${path}: anchor`, "damaged"),
    time: asCount(time, `${path}: time`, "damaged"),
  };
}

export async function writeDraft(folder: DeviceFolder, anchor: PlaneCheckpoint, clock: Clock): Promise<EnrolmentDraft> {
  const draft: EnrolmentDraft = {
    deviceId: toHex(randomBytes(16)),
    nonce: toHex(randomBytes(32)),
    anchor: anchor.note,
    time: clock.now(),
  };
  await writeDurably(draftPath(folder), `${JSON.stringify(draft)}\n`);
  return draft;
}

/** The genesis entry that the draft stands for. */
export async function genesisOf(folder: DeviceFolder, draft: EnrolmentDraft, trust: Trust): Promise<Genesis> {
  const identity = deviceIdentity(trust.plane.name, draft.deviceId, 0);
  const { checkpoint, noteHash } = openPlaneCheckpoint(draft.anchor, trust);
  return {
    kind: "genesis",
    time: draft.time,
    version: 1,
    deviceId: draft.deviceId,
    epoch: 0,
    keySet: keySetOf(await readSigners(folder, identity.origin)),
    plane: trust.plane.name,
    anchor: { size: checkpoint.size, root: checkpoint.root, noteHash },
    nonce: asHash(fromHex(draft.nonce)),
  };
}

/** Copies the trust file into the folder, so that the device goes on believing what its operator gave it. */
export async function keepTrust(folder: DeviceFolder, trustPath: string): Promise<void> {
  const bytes = await readIfPresent(trustPath);
  if (bytes === undefined) throw new EdgeError("trust-invalid", `the trust file ${trustPath} does not exist`);
  await mkdir(folder.root, { recursive: true, mode: 0o700 });
  await writeDurably(folder.trust, bytes, 0o644);
}

function draftPath(folder: DeviceFolder): string {
  return join(folder.state, "enrolment.json");
}
