import { encodeEntry, equalBytes, type Genesis } from "@tally/evidence";
import { type Clock, Ledger } from "@tally/ledger";
import { EdgeError } from "../error.ts";
import type { DeviceFolder } from "../folder/device-folder.ts";
import { deviceIdentity, readSigners } from "../identity.ts";
import { writeStopMark } from "../recorder/stop-mark.ts";

/** The first entry of a ledger, and the checkpoint of size 1 by which the device proves that it has the keys. */
export interface FirstEntry {
  readonly entry: Uint8Array;
  readonly note: string;
}

/** Writes and seals the genesis entry, or finds it as an earlier try left it. */
export async function writeFirstEntry(folder: DeviceFolder, genesis: Genesis, clock: Clock): Promise<FirstEntry> {
  const { origin } = deviceIdentity(genesis.plane, genesis.deviceId, genesis.epoch);
  const entry = encodeEntry(genesis);
  const ledger = await Ledger.open({ dir: folder.journal, origin, signers: await readSigners(folder, origin), clock });
  try {
    if (ledger.size === 0) await ledger.append(entry).committed;
    if (!equalBytes(await ledger.entry(0), entry)) {
      throw new EdgeError("damaged", `the ledger ${origin} begins with another entry than its enrolment settled`, {
        hint: "enrol into an empty folder",
      });
    }
    const { note } = await ledger.seal();
    await writeStopMark(folder.state, { size: ledger.size, nextSlot: 0 });
    return { entry, note };
  } finally {
    await ledger.close();
  }
}
