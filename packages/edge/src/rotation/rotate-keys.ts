import { encodeEntry, eventCodes, sha256, toBase64 } from "@tally/evidence";
import { type Clock, Ledger, systemClock } from "@tally/ledger";
import { readConfig } from "../config.ts";
import { openDevice } from "../device.ts";
import { createKeys } from "../enroll/draft.ts";
import { EdgeError } from "../error.ts";
import { type DeviceFolder, deviceFolder } from "../folder/device-folder.ts";
import { type DeviceIdentity, keySetOf, readIdentity, readSigners } from "../identity.ts";
import { encodeKeys, nextKeys } from "./key-folders.ts";
import { finishRotation, writeRotation } from "./pending-rotation.ts";

/**
 * Gives a device new keys (evidence.md 2): an event in its ledger, one checkpoint that the old keys and the new ones sign, and an
 * entry of the fleet log. Records go on holding; from that checkpoint on the new keys sign alone, and the old ones are removed. May be
 * killed anywhere and be called again.
 *
 * @throws EdgeError as `openDevice` and `Device.sync`; `plane-refused` where the plane does not take the handover
 */
export async function rotateKeys({ dir, clock = systemClock }: { readonly dir: string; readonly clock?: Clock }) {
  const folder = deviceFolder(dir);
  const enrolled = await readIdentity(folder);
  if (enrolled === undefined) {
    throw new EdgeError("not-enrolled", `${dir} holds no enrolled device`, { hint: "enrol it: tally device enroll" });
  }
  const { url } = await readConfig(folder.config);
  if (!(await finishRotation(folder, enrolled, url, clock))) {
    // What the plane holds is where the handover is proven from.
    const mirrored = await syncOnce(dir, clock);
    const identity = (await readIdentity(folder)) ?? enrolled;
    await handOver(folder, identity, mirrored, clock);
    if (!(await finishRotation(folder, identity, url, clock))) {
      throw new EdgeError("plane-refused", `the plane does not take new keys of ${identity.origin}`, {
        hint: "the device goes on under its old keys; stop whoever else syncs its ledger, and try again",
      });
    }
  }
  await syncOnce(dir, clock);
  return (await readIdentity(folder)) ?? enrolled;
}

async function syncOnce(dir: string, clock: Clock): Promise<number> {
  const device = await openDevice({ dir, clock });
  try {
    return (await device.sync()).mirrored;
  } finally {
    await device.close();
  }
}

/** The event, and the checkpoint over it by both key sets; durable before it is told. */
async function handOver(
  folder: DeviceFolder,
  { origin }: DeviceIdentity,
  mirrored: number,
  clock: Clock,
): Promise<void> {
  const next = nextKeys(folder);
  await createKeys(next);
  const [before, after] = [await readSigners(folder, origin), await readSigners(next, origin)];
  const keySet = await encodeKeys(keySetOf(after));
  const ledger = await Ledger.open({ dir: folder.journal, origin, signers: [...before, ...after], clock });
  try {
    const fields = new Map([[0, sha256(keySet)]]);
    const event = { kind: "event", time: clock.now(), code: eventCodes["key-rotation"], fields } as const;
    await ledger.append(encodeEntry(event)).committed;
    const { checkpoint, note } = await ledger.seal();
    const proof = await ledger.consistencyProof(mirrored, checkpoint.size);
    await writeRotation(folder, {
      keySet: toBase64(keySet),
      checkpoint: note,
      old: mirrored,
      proof: proof.map((hash) => toBase64(hash)),
    });
  } finally {
    await ledger.close();
  }
}
