import type { NoteSigner, Trust } from "@tally/evidence";
import type { Clock, Ledger } from "@tally/ledger";
import type { DeviceConfig } from "./config.ts";
import { EdgeError } from "./error.ts";
import type { DeviceFolder } from "./folder/device-folder.ts";
import type { DeviceIdentity } from "./identity.ts";
import type { AutoSeal } from "./recorder/auto-seal.ts";
import type { BlobOutbox } from "./recorder/blob-outbox.ts";
import type { PayloadStore } from "./recorder/payload-store.ts";
import type { Recorder } from "./recorder/recorder.ts";
import type { ReleaseGate } from "./recorder/release-gate.ts";
import type { Repeats } from "./recorder/repeats.ts";
import type { SaltStore } from "./recorder/salt-store.ts";
import type { StorageWatch } from "./recorder/storage-watch.ts";

/** The parts of an open device, as everything that works on one needs them. */
export interface DeviceCore {
  readonly folder: DeviceFolder;
  readonly config: DeviceConfig;
  readonly identity: DeviceIdentity;
  readonly trust: Trust;
  readonly clock: Clock;
  readonly signers: readonly NoteSigner[];
  readonly ledger: Ledger;
  readonly recorder: Recorder;
  readonly salts: SaltStore;
  readonly payloads: PayloadStore;
  readonly repeats: Repeats;
  readonly outbox: BlobOutbox;
  readonly gate: ReleaseGate;
  readonly autoSeal: AutoSeal;
  readonly storage: StorageWatch;
}

/**
 * Makes a write once the disk has room for it: waits while too much is queued, goes on after a failure (see StorageWatch), and passes
 * on every other error.
 */
export function whenRoom<T>(core: Pick<DeviceCore, "ledger" | "storage">, write: () => T): T | Promise<T> {
  if (core.storage.blocked) return core.storage.goOn().then(() => whenRoom(core, write));
  try {
    return write();
  } catch (error) {
    if (!(error instanceof EdgeError) || error.code !== "busy") throw error;
    return core.ledger.flush().then(() => whenRoom(core, write));
  }
}
