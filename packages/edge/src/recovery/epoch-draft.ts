import { join } from "node:path";
import { asHash, asRootHash, fromHex, type Genesis, type Predecessor, type Trust, toHex } from "@tally/evidence";
import type { DeviceFolder } from "../folder/device-folder.ts";
import { readIfPresent, removeDurably, writeDurably } from "../folder/durable-file.ts";
import { asCount, asText, parseObject } from "../folder/json.ts";
import { deviceIdentity, keySetOf, readSigners } from "../identity.ts";
import { openPlaneCheckpoint } from "../sync/plane-checkpoint.ts";

/** What a new epoch has settled before anything is moved: however often the step is tried, it is the same epoch. */
export interface EpochDraft {
  readonly deviceId: string;
  readonly epoch: number;
  /** The epoch that is given up. */
  readonly previous: number;
  readonly nonce: string;
  /** The cosigned plane checkpoint that becomes the first anchor. */
  readonly anchor: string;
  readonly time: number;
  readonly predecessor: Predecessor;
  /**
   * The first entry of the branch that the plane has not: from here on it is uploaded. Null where there is nothing to
   * upload, or nothing that can be read.
   */
  readonly from: number | null;
  /** The enrolment token that the request goes with, where the old ledger's keys open no session any more. */
  readonly token?: string;
  /** Whether the new ledger is signed with new keys. */
  readonly newKeys?: true;
}

export async function readEpochDraft(folder: DeviceFolder): Promise<EpochDraft | undefined> {
  const path = draftPath(folder);
  const bytes = await readIfPresent(path);
  if (bytes === undefined) return undefined;
  const file = parseObject(new TextDecoder().decode(bytes), path, "damaged");
  const text = (name: string) => asText(file[name], `${path}: ${name}`, "damaged");
  const count = (name: string) => asCount(file[name], `${path}: ${name}`, "damaged");
  return {
    deviceId: text("deviceId"),
    epoch: count("epoch"),
    previous: count("previous"),
    nonce: text("nonce"),
    anchor: text("anchor"),
    time: count("time"),
    predecessor: {
      mirroredSize: count("mirroredSize"),
      mirroredRoot: asRootHash(fromHex(text("mirroredRoot"))),
      orphanSize: count("orphanSize"),
      orphanRoot: asRootHash(fromHex(text("orphanRoot"))),
    },
    from: file.from === null ? null : count("from"),
    ...(file.token !== undefined && { token: text("token") }),
    ...(file.newKeys === true && { newKeys: true }),
  };
}

export function writeEpochDraft(folder: DeviceFolder, { predecessor, ...draft }: EpochDraft): Promise<void> {
  const { mirroredSize, mirroredRoot, orphanSize, orphanRoot } = predecessor;
  const roots = { mirroredRoot: toHex(mirroredRoot), orphanRoot: toHex(orphanRoot) };
  return writeDurably(draftPath(folder), `${JSON.stringify({ ...draft, mirroredSize, orphanSize, ...roots })}\n`);
}

export function removeEpochDraft(folder: DeviceFolder): Promise<void> {
  return removeDurably(draftPath(folder));
}

/** The genesis entry that the draft stands for. */
export async function genesisOfEpoch(folder: DeviceFolder, draft: EpochDraft, trust: Trust): Promise<Genesis> {
  const identity = deviceIdentity(trust.plane.name, draft.deviceId, draft.epoch);
  const { checkpoint, noteHash } = openPlaneCheckpoint(draft.anchor, trust);
  return {
    kind: "genesis",
    time: draft.time,
    version: 1,
    deviceId: draft.deviceId,
    epoch: draft.epoch,
    keySet: keySetOf(await readSigners(folder, identity.origin)),
    plane: trust.plane.name,
    anchor: { size: checkpoint.size, root: checkpoint.root, noteHash },
    nonce: asHash(fromHex(draft.nonce)),
    predecessor: draft.predecessor,
  };
}

function draftPath(folder: DeviceFolder): string {
  return join(folder.state, "epoch.json");
}
