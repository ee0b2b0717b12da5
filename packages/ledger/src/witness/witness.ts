import { join } from "node:path";
import { type NoteKey, type NoteSigner, verifyNote } from "@tally/evidence";
import { type Clock, systemClock } from "../clock.ts";
import type { Conflict } from "../conflicts/conflict.ts";
import { ConflictStore } from "../conflicts/conflict-store.ts";
import { keepRefused } from "../conflicts/refused-offers.ts";
import { LedgerError } from "../error.ts";
import { type Files, type FolderLock, nodeFiles } from "../files/index.ts";
import { type CheckpointOffer, parseAddCheckpointBody } from "./add-checkpoint-body.ts";
import { Cosigner } from "./cosigner.ts";
import { type Head, readHead, writeHead } from "./head-file.ts";
import { judgeOffer } from "./judge-offer.ts";
import { originHash } from "./origin-folder.ts";
import { ownNote } from "./own-note.ts";
import { checkpointFound, cosigned, type ProtocolResponse, refusal, sizeConflict } from "./response.ts";
import { SerialQueue } from "./serial-queue.ts";

export interface WitnessOptions {
  /** Folder of this witness alone; created when absent. */
  readonly dir: string;
  /** The cosigner's keys: one name, types 04 and 06. */
  readonly signers: readonly NoteSigner[];
  /** The logs that are cosigned: a key's name is its log's origin; several keys of one log are alternatives. */
  readonly logs: readonly NoteKey[];
  readonly clock?: Clock;
  readonly files?: Files;
  /** Told of each contradiction of a log, after it was kept; told again when it is offered again. */
  readonly onConflict?: (conflict: Conflict) => Promise<void>;
}

interface WatchedLog {
  readonly origin: string;
  readonly keys: readonly NoteKey[];
  readonly path: string;
  readonly queue: SerialQueue;
  /** Checkpoints that the log signed and that were refused: `conflicts/<hash of the origin>/`. */
  readonly conflicts: ConflictStore;
  head: Head | undefined;
}

/** A witness sees heads only. */
const NO_ENTRIES = {
  size: 0,
  root: () => Promise.reject(new LedgerError("out-of-range", "a witness holds no entries")),
  consistencyProof: () => Promise.reject(new LedgerError("out-of-range", "a witness holds no entries")),
};

/**
 * A witness (C2SP tlog-witness): cosigns a checkpoint after checking that its log only grew since the last one.
 *
 * Per log it keeps the latest cosigned checkpoint in one file, replaced before the cosignature is given away. Checking and
 * replacing are one step of the log's queue, so of two growths from the same size one wins and the other gets 409.
 */
export class Witness {
  readonly #logs: ReadonlyMap<string, WatchedLog>;
  readonly #byHash: ReadonlyMap<string, WatchedLog>;
  readonly #cosigner: Cosigner;
  readonly #files: Files;
  readonly #lock: FolderLock;
  readonly #onConflict: ((conflict: Conflict) => Promise<void>) | undefined;

  private constructor(logs: WatchedLog[], cosigner: Cosigner, files: Files, lock: FolderLock, options: WitnessOptions) {
    this.#logs = new Map(logs.map((log) => [log.origin, log]));
    this.#byHash = new Map(logs.map((log) => [originHash(log.origin), log]));
    this.#cosigner = cosigner;
    this.#files = files;
    this.#lock = lock;
    this.#onConflict = options.onConflict;
  }

  /** Takes the folder and reads what was cosigned before. LedgerError `locked`, `damaged`, `signing-refused`. */
  static async open(options: WitnessOptions): Promise<Witness> {
    const files = options.files ?? nodeFiles;
    const cosigner = new Cosigner(options.signers, options.clock ?? systemClock);
    await files.makeDirectory(options.dir);
    const lock = await files.lock(options.dir);
    try {
      const logs: WatchedLog[] = [];
      for (const [origin, keys] of Map.groupBy(options.logs, (key) => key.name)) {
        const path = join(options.dir, `${originHash(origin)}.json`);
        const conflicts = new ConflictStore(files, join(options.dir, "conflicts", originHash(origin)));
        const head = await readHead(files, path);
        if (head !== undefined) cosigner.notBefore(head.time);
        logs.push({ origin, keys, path, queue: new SerialQueue(), conflicts, head });
      }
      return new Witness(logs, cosigner, files, lock, options);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** The latest cosigned checkpoint of a log. */
  head(origin: string): Head | undefined {
    return this.#logs.get(origin)?.head;
  }

  /** `POST add-checkpoint`. Rejects only when storing or signing fails, never because of what was sent. */
  async addCheckpoint(body: Uint8Array): Promise<ProtocolResponse> {
    let offer: CheckpointOffer;
    try {
      offer = parseAddCheckpointBody(body);
    } catch (error) {
      if (error instanceof LedgerError && error.code === "protocol") return refusal(400, error.message);
      throw error;
    }
    const { origin } = offer.checkpoint;
    const log = this.#logs.get(origin);
    if (log === undefined) return refusal(404, `${origin} is not a log of this witness`);
    try {
      verifyNote(offer.note, [...log.keys]);
    } catch (error) {
      return refusal(403, `no valid signature of ${origin}: ${(error as Error).message}`);
    }
    return log.queue.run(() => this.#decide(log, offer));
  }

  async #decide(log: WatchedLog, offer: CheckpointOffer): Promise<ProtocolResponse> {
    const judgement = judgeOffer(log.head?.checkpoint, offer);
    if (!judgement.accepted) {
      const { status, reason } = judgement;
      await this.#keep(log, offer);
      return status === 409 ? sizeConflict(log.head?.checkpoint.size ?? 0) : refusal(status, reason);
    }
    const { lines, time } = await this.#cosigner.cosign(offer.checkpoint);
    const note = ownNote(offer.note, log.keys);
    const head: Head = Object.freeze({ checkpoint: offer.checkpoint, note, cosignatures: lines, time });
    await writeHead(this.#files, log.path, head);
    log.head = head;
    return cosigned(lines);
  }

  async #keep(log: WatchedLog, offer: CheckpointOffer): Promise<void> {
    const history = {
      ...NO_ENTRIES,
      origin: log.origin,
      pending: log.head,
      mirrored: undefined,
      conflicts: log.conflicts,
    };
    const conflict = await keepRefused(history, { ...offer, note: ownNote(offer.note, log.keys) });
    if (conflict !== undefined) await this.#onConflict?.(conflict);
  }

  /** The contradictions of a log that are kept, oldest first. */
  async conflicts(origin: string): Promise<Conflict[]> {
    return ((await this.#logs.get(origin)?.conflicts.read("equivocated", "diverged")) ?? []) as Conflict[];
  }

  /** `GET <monitoring prefix>/<path>`: `<hash of the origin>/checkpoint`, 404 for all else. */
  async read(path: string): Promise<ProtocolResponse> {
    const [hash = "", name, ...more] = path.split("/");
    const head = this.#byHash.get(hash)?.head;
    if (name !== "checkpoint" || more.length > 0 || head === undefined) return refusal(404, "nothing is here");
    return checkpointFound(head.note + head.cosignatures);
  }

  /** Waits for what was begun and gives the folder back. */
  async close(): Promise<void> {
    for (const log of this.#logs.values()) await log.queue.idle();
    await this.#lock.release();
  }
}
