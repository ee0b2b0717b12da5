import { join } from "node:path";
import { type Checkpoint, equalBytes, type Hash } from "@tally/evidence";
import { ConflictStore } from "../conflicts/conflict-store.ts";
import { LedgerError } from "../error.ts";
import type { Files } from "../files/index.ts";
import type { LogReader } from "../log-reader.ts";
import { type LaidOutEntries, LogStore } from "../store/log-store.ts";
import { ProvingLog } from "../store/proving-log.ts";
import type { Cosignatures } from "../witness/cosigner.ts";
import { type Head, readHead, writeHead } from "../witness/head-file.ts";
import { SerialQueue } from "../witness/serial-queue.ts";

/** One log as a mirror holds it. `size` and `nextEntry` count stored entries, which may be ahead of `mirrored`. */
export interface MirroredLog extends LogReader {
  /** The latest checkpoint that was accepted, with the witness's cosignatures apart. */
  readonly pending: Head | undefined;
  /** The latest checkpoint whose entries are all stored, with the mirror's cosignatures apart. */
  readonly mirrored: Head | undefined;
  /** The first entry that is not stored yet. */
  readonly nextEntry: number;
}

/**
 * The folder of one mirrored log:
 *
 *     pending.json    the pending checkpoint
 *     mirrored.json   the mirror checkpoint
 *     log/            entries, each proven under some pending checkpoint before it was stored
 *     conflicts/      refused checkpoints
 *
 * `nextEntry` may be ahead of the mirror checkpoint and behind or ahead of no more than the pending one. All changes go
 * through `queue`; reading does not.
 */
export class MirroredFolder extends ProvingLog implements MirroredLog {
  readonly origin: string;
  readonly queue = new SerialQueue();
  readonly conflicts: ConflictStore;
  readonly #dir: string;
  readonly #files: Files;
  #store: LogStore;
  #storeFailed = false;
  #pending: Head | undefined;
  #mirrored: Head | undefined;

  private constructor(origin: string, dir: string, files: Files, store: LogStore, heads: (Head | undefined)[]) {
    super();
    this.origin = origin;
    this.conflicts = new ConflictStore(files, join(dir, "conflicts"));
    this.#dir = dir;
    this.#files = files;
    this.#store = store;
    [this.#pending, this.#mirrored] = heads;
  }

  /** Opens the folder of a log whose origin is known, new or not. */
  static async open(files: Files, dir: string, origin: string): Promise<MirroredFolder> {
    await files.makeDirectory(dir);
    const pending = await readHead(files, join(dir, "pending.json"));
    const mirrored = await readHead(files, join(dir, "mirrored.json"));
    for (const head of [pending, mirrored]) {
      if (head === undefined || head.checkpoint.origin === origin) continue;
      throw new LedgerError("wrong-origin", `${dir} holds ${head.checkpoint.origin}, not ${origin}`);
    }
    const store = await openStore(files, dir, origin, mirrored);
    if (pending === undefined && (mirrored !== undefined || store.size > 0)) {
      await store.close();
      // Without it any first checkpoint would be taken, and the log could begin anew behind what was cosigned.
      throw new LedgerError("damaged", `the pending checkpoint of ${origin} is missing in ${dir}`, {
        hint: "restore pending.json; entries without it cannot have been stored",
      });
    }
    return new MirroredFolder(origin, dir, files, store, [pending, mirrored]);
  }

  /** The origin of a folder that was used before; undefined when nothing was accepted there. */
  static async originOf(files: Files, dir: string): Promise<string | undefined> {
    return (await readHead(files, join(dir, "pending.json")))?.checkpoint.origin;
  }

  get pending(): Head | undefined {
    return this.#pending;
  }

  get mirrored(): Head | undefined {
    return this.#mirrored;
  }

  get nextEntry(): number {
    return this.#store.size;
  }

  get size(): number {
    return this.#store.size;
  }

  /** Durable when it resolves. A failed write leaves memory as it was: no cosignature over it was given away. */
  async setPending(checkpoint: Checkpoint, note: string, { lines, time }: Cosignatures): Promise<void> {
    const head: Head = Object.freeze({ checkpoint, note, cosignatures: lines, time });
    await writeHead(this.#files, join(this.#dir, "pending.json"), head);
    this.#pending = head;
  }

  /** Makes everything up to the checkpoint durable and checks that it has the signed root, before a mirror cosigns it. */
  async prepareMirrored({ size, root }: Checkpoint): Promise<void> {
    await this.recover();
    const ours = await this.#store.root(size);
    if (!equalBytes(ours, root)) {
      throw new LedgerError(
        "damaged",
        `the entries stored for ${this.origin} do not have the signed root of size ${size}`,
        {
          hint: "the folder was altered or restored from a copy; check it with: tally ledger check",
        },
      );
    }
    await this.#store.seal(size, root).catch((error: unknown) => {
      this.#storeFailed = true;
      throw error;
    });
  }

  async setMirrored(checkpoint: Checkpoint, note: string, { lines, time }: Cosignatures): Promise<void> {
    const head: Head = Object.freeze({ checkpoint, note, cosignatures: lines, time });
    await writeHead(this.#files, join(this.#dir, "mirrored.json"), head);
    this.#mirrored = head;
  }

  /** Durable when it resolves. To be called after `recover`, with what follows `nextEntry`. */
  async append(entries: LaidOutEntries): Promise<void> {
    try {
      await this.#store.appendGroup(entries);
    } catch (error) {
      this.#storeFailed = true;
      throw error;
    }
  }

  /** After a failed write opens the store anew, which finds out what was written: `nextEntry` may be further than before. */
  async recover(): Promise<void> {
    if (!this.#storeFailed) return;
    const failed = this.#store;
    this.#store = await openStore(this.#files, this.#dir, this.origin, this.#mirrored);
    this.#storeFailed = false;
    await failed.close();
  }

  async close(): Promise<void> {
    await this.queue.idle();
    await this.#store.close();
  }

  entries(from: number, to: number): AsyncIterable<Uint8Array> {
    return this.#store.entries(from, to);
  }

  node(level: number, index: number): Promise<Hash> {
    return this.#store.node(level, index);
  }
}

function openStore(files: Files, dir: string, origin: string, mirrored: Head | undefined): Promise<LogStore> {
  const sealed = mirrored === undefined ? {} : { sealed: mirrored.checkpoint };
  return LogStore.open({ dir: join(dir, "log"), origin, files, ...sealed });
}
