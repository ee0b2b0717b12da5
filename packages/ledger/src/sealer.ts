import { type Checkpoint, equalBytes, type NoteSigner, signCheckpoint } from "@tally/evidence";
import { checkFreshNote, type SignedCheckpoint, writeCheckpointFile } from "./checkpoint-file.ts";
import type { Clock } from "./clock.ts";
import { LedgerError } from "./error.ts";
import type { Files } from "./files/index.ts";
import type { LogStore } from "./store/log-store.ts";

export interface SealerOptions {
  readonly dir: string;
  readonly files: Files;
  readonly signers: readonly NoteSigner[];
  readonly clock: Clock;
  readonly checkpointTime: "zero" | "clock";
}

/** Signs what is durable, and hands out no note that is not durable itself. One call at a time. */
export class Sealer {
  readonly #options: SealerOptions;
  readonly #store: LogStore;
  #latest: SignedCheckpoint | undefined;
  #failure: LedgerError | undefined;

  constructor(options: SealerOptions, store: LogStore, latest: SignedCheckpoint | undefined) {
    this.#options = options;
    this.#store = store;
    this.#latest = latest;
  }

  get latest(): SignedCheckpoint | undefined {
    return this.#latest;
  }

  /** Set when a write failed: the disk's state is unknown and nothing may be acknowledged any more. */
  get failure(): LedgerError | undefined {
    return this.#failure;
  }

  /** A checkpoint over all durable entries; the latest one again when nothing was added. LedgerError `signing-refused`. */
  async seal(): Promise<SignedCheckpoint> {
    const { files, dir, signers, clock, checkpointTime } = this.#options;
    const { origin, size } = this.#store;
    const last = this.#latest;
    if (last?.checkpoint.size === size) return last;
    if (signers.length === 0) throw new LedgerError("signing-refused", `${origin} was opened without signers`);
    if (last !== undefined && !equalBytes(await this.#store.root(last.checkpoint.size), last.checkpoint.root)) {
      throw new LedgerError("signing-refused", `${origin} no longer has the root that was signed`);
    }
    const checkpoint: Checkpoint = Object.freeze({ origin, size, root: await this.#store.root(size) });
    await this.#orFail(() => this.#store.seal(size, checkpoint.root));
    const time = checkpointTime === "zero" ? 0 : Math.floor(clock.now() / 1000);
    const note = await signCheckpoint(checkpoint, signers, time);
    checkFreshNote(note, checkpoint, signers);
    await this.#orFail(() => writeCheckpointFile(files, dir, note));
    this.#latest = Object.freeze({ checkpoint, note });
    return this.#latest;
  }

  async #orFail(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      this.#failure = new LedgerError("write-failed", `sealing ${this.#store.origin} failed: ${reason}`, {
        cause,
        hint: "make room or repair the disk, then open the ledger again",
      });
      throw this.#failure;
    }
  }
}
