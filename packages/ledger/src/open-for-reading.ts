import { readCheckpointFile, type SignedCheckpoint } from "./checkpoint-file.ts";
import { LedgerError } from "./error.ts";
import { type Files, nodeFiles } from "./files/index.ts";
import { LogStore } from "./store/log-store.ts";
import { readOrigin } from "./store/store-files.ts";

/** A ledger as it is on disk, to read and to prove from; to be closed. */
export interface ReadOnlyLedger {
  readonly log: LogStore;
  /** The newest signed checkpoint, not verified here. */
  readonly latest: SignedCheckpoint | undefined;
}

/**
 * Opens a ledger's folder without taking or changing it, also while another process appends: a snapshot of what was committed.
 * LedgerError `format-unknown` when there is no ledger.
 */
export async function openForReading(dir: string, files: Files = nodeFiles): Promise<ReadOnlyLedger> {
  const origin = await readOrigin(files, dir);
  if (origin === undefined) {
    throw new LedgerError("format-unknown", `there is no ledger in ${dir}`, { hint: "name a ledger's own folder" });
  }
  // The checkpoint first: the entries below it are there whatever is appended meanwhile.
  const latest = await readCheckpointFile(files, dir);
  const sealed = latest?.checkpoint;
  const log = await LogStore.open({ dir, origin, files, mode: "read", ...(sealed && { sealed }) });
  return Object.freeze({ log, latest });
}
