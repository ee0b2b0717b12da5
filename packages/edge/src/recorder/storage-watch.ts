import { gapReasons } from "@tally/evidence";
import { isDiskFull, type Ledger } from "@tally/ledger";
import { EdgeError } from "../error.ts";
import type { PayloadStore } from "./payload-store.ts";
import type { Recorder } from "./recorder.ts";
import type { ReleaseGate } from "./release-gate.ts";
import { replayRun } from "./replay.ts";
import type { SaltStore } from "./salt-store.ts";
import { fullHint, storageError } from "./storage-error.ts";

interface Watched {
  readonly ledger: Ledger;
  readonly recorder: Recorder;
  readonly gate: ReleaseGate;
  readonly payloads: PayloadStore;
  readonly salts: SaltStore;
}

/**
 * A device whose disk failed, or is full: it releases nothing, and goes on without a restart once the disk takes writes again.
 *
 * With the first write after a failure the ledger's files are read anew, and a new run begins: `restart`, not clean. Outputs that were
 * released before their records were durable (`immediate` mode) and may be lost are counted in a `gap`. Both are written from
 * the room that the ledger keeps for this. While there is no room to set that aside again, every record is refused.
 */
export class StorageWatch {
  readonly #parts: Watched;
  #isFull = false;
  #goingOn: Promise<void> | undefined;

  constructor(parts: Watched) {
    this.#parts = parts;
  }

  /** Nothing may be written before `goOn`. */
  get blocked(): boolean {
    return this.#isFull || this.#parts.ledger.failure !== undefined;
  }

  /**
   * Resolves when the disk takes writes again. Calls while one is under way share it.
   *
   * @throws EdgeError `storage-full`, `record-failed`: nothing is recorded and nothing may be released; the next call tries again
   */
  goOn(): Promise<void> {
    this.#goingOn ??= this.#goOn().finally(() => {
      this.#goingOn = undefined;
    });
    return this.#goingOn;
  }

  async #goOn(): Promise<void> {
    const { ledger, salts } = this.#parts;
    try {
      if (ledger.failure !== undefined) await this.#beginAnew();
      this.#isFull = !(await ledger.keepReserve());
    } catch (cause) {
      throw storageError(cause, `${ledger.origin} cannot be written`);
    }
    // What it still owes is tried again by the next record that needs it; others need not wait for it.
    await salts.recover().catch(() => {});
    if (this.#isFull) {
      throw new EdgeError("storage-full", `the disk is full: ${ledger.origin} takes no record`, { hint: fullHint });
    }
  }

  /** After a failed write: what is there is found out, and what may be missing is said. */
  async #beginAnew(): Promise<void> {
    const { ledger, recorder, gate, payloads } = this.#parts;
    const reason = gapReasons[isDiskFull(ledger.failure) ? "storage-full" : "storage-failed"];
    await ledger.recover("use");
    const lost = gate.outstanding;
    const { index } = recorder.resume(await replayRun(ledger));
    if (lost > 0) recorder.note({ kind: "gap", atMost: lost, from: index - 1, to: index, reason });
    await ledger.flush();
    gate.forget(lost);
    await payloads.recover(index);
  }
}
