import { join } from "node:path";
import { decodeEntry, eventCodes, gapReasons, type NoteSigner } from "@tally/evidence";
import { type Clock, type Files, Ledger, LedgerError } from "@tally/ledger";
import { type ConfigOverrides, readConfig } from "./config.ts";
import type { DeviceCore } from "./device-core.ts";
import { resumeDestroying } from "./erasure/destroy.ts";
import { EdgeError } from "./error.ts";
import { type DeviceFolder, deviceFolder } from "./folder/device-folder.ts";
import { type DeviceIdentity, readIdentity, readSigners } from "./identity.ts";
import { AutoSeal } from "./recorder/auto-seal.ts";
import { BlobOutbox } from "./recorder/blob-outbox.ts";
import { PayloadStore } from "./recorder/payload-store.ts";
import { Recorder } from "./recorder/recorder.ts";
import { ReleaseGate } from "./recorder/release-gate.ts";
import { Repeats } from "./recorder/repeats.ts";
import { replayRun } from "./recorder/replay.ts";
import { SaltStore } from "./recorder/salt-store.ts";
import { takeStopMark, writeStopMark } from "./recorder/stop-mark.ts";
import { StorageWatch } from "./recorder/storage-watch.ts";
import { moveToEpoch } from "./recovery/move-to-epoch.ts";
import { rejoin } from "./recovery/rejoin.ts";
import { readRestoredMark, removeRestoredMark } from "./recovery/restored-mark.ts";
import { finishRotation } from "./rotation/pending-rotation.ts";
import { readTrust } from "./trust-file.ts";

export interface CoreOptions {
  readonly dir: string;
  readonly config?: ConfigOverrides;
  readonly clock: Clock;
  /** The journal's disk; of this machine by default. */
  readonly files?: Files;
}

/**
 * Opens a device's folder: takes the ledger for this process, asks the plane, where it answers, whether the folder is an old
 * copy (`rejoin`), replays the last run and writes the `restart` entry; after an unclean stop in `immediate` mode a `gap` entry says how many records may be missing.
 *
 * @throws EdgeError `not-enrolled`, `device-locked`, `damaged`, `config-invalid`, `trust-invalid`, `behind`.
 */
export async function openCore({ dir, config: overrides, clock, files }: CoreOptions): Promise<DeviceCore> {
  const folder = deviceFolder(dir);
  const enrolled = await readIdentity(folder);
  if (enrolled === undefined) {
    throw new EdgeError("not-enrolled", `${dir} holds no enrolled device`, { hint: "enrol it: tally device enroll" });
  }
  const config = await readConfig(folder.config, overrides);
  const trust = await readTrust(folder.trust);
  if (trust.plane.name !== enrolled.plane) {
    throw new EdgeError("trust-invalid", `the trust file is of ${trust.plane.name}, the device of ${enrolled.plane}`, {
      hint: `put the trust file of ${enrolled.plane} at ${folder.trust}`,
    });
  }
  const identity = await moveToEpoch(folder, enrolled, trust, clock);
  // A handover of keys that was cut off goes on; without the plane the device records under the keys that it has.
  await finishRotation(folder, identity, config.url, clock).catch((error: unknown) => {
    if (!(error instanceof EdgeError)) throw error;
  });
  const signers = await readSigners(folder, identity.origin);
  const ledger = await openLedger(folder, identity, signers, clock, files);
  try {
    const opened = { folder, config, identity, trust, clock, signers, ledger };
    if ((await rejoin(opened)) === "same-epoch") {
      return await startRun({ ...opened, outbox: new BlobOutbox(join(folder.state, "blobs")) });
    }
  } catch (error) {
    await ledger.close().catch(() => {});
    throw error;
  }
  await ledger.close();
  return openCore({ dir, clock, ...(overrides && { config: overrides }), ...(files && { files }) });
}

/** Commits and seals everything, marks the stop as clean and lets go of the folder. */
export async function closeCore(core: DeviceCore): Promise<void> {
  const { ledger, salts, payloads, gate, folder } = core;
  try {
    await ledger.flush();
    if (!ledger.signingStopped) await ledger.seal();
    await gate.close();
    await writeStopMark(folder.state, { size: ledger.size, nextSlot: salts.next });
  } finally {
    await Promise.allSettled([payloads.close(), salts.close(), core.repeats.close()]);
    await ledger.close();
  }
}

type Unstarted = Omit<DeviceCore, "recorder" | "salts" | "payloads" | "repeats" | "gate" | "autoSeal" | "storage">;

async function startRun(core: Unstarted): Promise<DeviceCore> {
  const { folder, config, clock, ledger } = core;
  const lost = await ReleaseGate.leftOver(folder.state);
  const mark = await takeStopMark(folder.state);
  const isClean = mark?.size === ledger.size;
  const recorder = new Recorder(ledger, await replayRun(ledger), clock, await lastTimeOf(ledger));
  const salts = await SaltStore.open(folder.salts, isClean ? mark.nextSlot : undefined);
  const payloads = await PayloadStore.open(folder.payloads, config.captureLimitBytes, ledger.size);
  const repeats = await Repeats.open(folder.salts, salts.subkey("tally/repeats/v1"));
  await resumeDestroying({ salts, payloads, repeats, folder });
  const { index } = recorder.restart(isClean);
  const restored = await readRestoredMark(folder.state);
  if (restored !== undefined) {
    const fields = new Map([
      [0, restored.from],
      [1, restored.to],
    ]);
    recorder.note({ kind: "event", code: eventCodes.restored, fields });
  }
  if (lost > 0) {
    recorder.note({ kind: "gap", atMost: lost, from: index - 1, to: index, reason: gapReasons["unclean-stop"] });
  }
  await ledger.flush();
  if (restored !== undefined) await removeRestoredMark(folder.state);
  const gate = await ReleaseGate.open(config.release, ledger, folder.state);
  const autoSeal = new AutoSeal(ledger, config.sealEveryEntries);
  const storage = new StorageWatch({ ledger, recorder, gate, payloads, salts });
  return { ...core, recorder, salts, payloads, repeats, gate, autoSeal, storage };
}

/** What the device's clock said in the last entry. */
async function lastTimeOf(ledger: Ledger): Promise<number | undefined> {
  const last = decodeEntry(await ledger.entry(ledger.size - 1));
  return last.kind === "not-understood" ? undefined : last.time;
}

async function openLedger(
  folder: DeviceFolder,
  { origin }: DeviceIdentity,
  signers: readonly NoteSigner[],
  clock: Clock,
  files: Files | undefined,
): Promise<Ledger> {
  let ledger: Ledger;
  try {
    ledger = await Ledger.open({ dir: folder.journal, origin, signers, clock, ...(files && { files }) });
  } catch (cause) {
    if (!(cause instanceof LedgerError)) throw cause;
    const isLocked = cause.code === "locked";
    throw new EdgeError(isLocked ? "device-locked" : "damaged", cause.message, {
      cause,
      hint: isLocked ? "stop the other process, or talk to its agent" : (cause.hint ?? "keep the folder as it is"),
    });
  }
  const { damage } = ledger;
  if (damage === undefined) return ledger;
  await ledger.close();
  throw new EdgeError("damaged", `the ledger ${origin} is damaged at entry ${damage.index}: ${damage.what}`, {
    hint: "keep the folder as it is, and let the device go on in a new epoch: tally device recover",
  });
}
