import { join } from "node:path";
import { EvidenceError } from "@tally/evidence";
import type { SignedCheckpoint } from "../checkpoint-file.ts";
import { systemClock } from "../clock.ts";
import type { Conflict } from "../conflicts/conflict.ts";
import { keepRefused, reexamineKept } from "../conflicts/refused-offers.ts";
import { LedgerError } from "../error.ts";
import { type FolderLock, nodeFiles, pooledFiles } from "../files/index.ts";
import { type CheckpointOffer, parseAddCheckpointBody } from "../witness/add-checkpoint-body.ts";
import { Cosigner, refuseSharedKeys } from "../witness/cosigner.ts";
import { judgeOffer } from "../witness/judge-offer.ts";
import { originHash } from "../witness/origin-folder.ts";
import { cosigned, type ProtocolResponse, refusal, sizeConflict } from "../witness/response.ts";
import { type Admission, admit, verifyOffer } from "./admission.ts";
import { ByteReader } from "./byte-reader.ts";
import { MirrorFolders } from "./mirror-folders.ts";
import type { MirrorOptions } from "./mirror-options.ts";
import type { MirroredFolder, MirroredLog } from "./mirrored-log.ts";
import { readMirrored, readPending } from "./monitor-reads.ts";
import { receiveEntries, uploadInfo } from "./receive-entries.ts";
import { Tickets } from "./ticket.ts";
import { readUploadHeader, type UploadHeader } from "./upload-body.ts";

interface Parts {
  readonly folders: MirrorFolders;
  readonly tickets: Tickets;
  readonly lock: FolderLock;
  readonly witness: Cosigner;
  readonly mirror: Cosigner;
}

/** So many that hundreds of devices sync at a time, and so few that no system runs out of them. */
const MAX_OPEN_FILES = 1024;

/**
 * A mirror of many logs and, under another name, their witness (C2SP tlog-mirror, tlog-witness).
 *
 * Whatever is answered was persisted before. Methods reject only when the mirror itself fails (LedgerError, or what a hook
 * threw), never because of what was sent.
 */
export class Mirror {
  readonly #options: MirrorOptions;
  readonly #parts: Parts;

  private constructor(options: MirrorOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
  }

  /** Takes the folder and opens every log in it. LedgerError `locked`, `signing-refused`. */
  static async open(options: MirrorOptions): Promise<Mirror> {
    const { dir, files = nodeFiles, clock = systemClock } = options;
    refuseSharedKeys(options.witness, options.mirror);
    const witness = new Cosigner(options.witness, clock);
    const mirror = new Cosigner(options.mirror, clock);
    await files.makeDirectory(dir);
    const lock = await files.lock(dir);
    try {
      const tickets = await Tickets.open(files, join(dir, "ticket.key"));
      const folders = await MirrorFolders.open(pooledFiles(files, options.maxOpenFiles ?? MAX_OPEN_FILES), dir);
      return new Mirror(options, { folders, tickets, lock, witness, mirror });
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Every log for which a checkpoint was accepted. */
  origins(): string[] {
    return this.#parts.folders.all().map(({ origin }) => origin);
  }

  log(origin: string): MirroredLog | undefined {
    return this.#parts.folders.find(originHash(origin));
  }

  /**
   * Lets an upload end at an earlier checkpoint than the newest: one that this mirror took, with no signatures but the log's own.
   * Whoever calls it vouches for that.
   */
  ticket(origin: string, note: string): Uint8Array {
    return this.#parts.tickets.issue(origin, note);
  }

  /** The conflicts kept for a log, oldest first. */
  async conflicts(origin: string): Promise<Conflict[]> {
    const kept = await this.#parts.folders.find(originHash(origin))?.conflicts.read("equivocated", "diverged");
    return (kept ?? []) as Conflict[];
  }

  /** `POST add-checkpoint`: makes a checkpoint pending and answers with the witness's cosignatures. */
  async addCheckpoint(body: Uint8Array): Promise<ProtocolResponse> {
    let offer: CheckpointOffer;
    try {
      offer = parseAddCheckpointBody(body);
    } catch (error) {
      return malformed(error);
    }
    const { origin, size } = offer.checkpoint;
    const said = await this.#options.keySet(origin, size);
    const admission = admit(origin, said);
    if ("refused" in admission) {
      await this.#judgeBlocked(offer, said);
      return admission.refused;
    }
    const folder = await this.#parts.folders.obtain(origin);
    return folder.queue.run(() => this.#decide(folder, offer));
  }

  /** Nothing of a blocked log is taken. What its keys sign may still convict them, and then it is kept and told. */
  async #judgeBlocked(offer: CheckpointOffer, admission: Admission): Promise<void> {
    if (admission === undefined || !("judged" in admission) || admission.judged === undefined) return;
    const { judged } = admission;
    const folder = this.#parts.folders.find(originHash(offer.checkpoint.origin));
    await folder?.queue.run(async () => {
      let note: string;
      try {
        note = verifyOffer(offer, judged);
      } catch (error) {
        if (error instanceof EvidenceError) return;
        throw error;
      }
      if (judgeOffer(folder.pending?.checkpoint, offer).accepted) return;
      const conflict = await keepRefused(folder, { ...offer, note });
      if (conflict !== undefined) await this.#options.onConflict(conflict);
    });
  }

  // Admission is asked again here: what came before in the queue may have got the origin blocked.
  async #decide(folder: MirroredFolder, offer: CheckpointOffer): Promise<ProtocolResponse> {
    const { checkpoint } = offer;
    const { origin } = folder;
    const admission = admit(origin, await this.#options.keySet(origin, checkpoint.size));
    if ("refused" in admission) return admission.refused;
    let note: string;
    try {
      note = verifyOffer(offer, admission.keySet);
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      return refusal(403, `not signed by all keys of ${origin}: ${error.message}`);
    }
    const judgement = judgeOffer(folder.pending?.checkpoint, offer);
    if (!judgement.accepted) {
      const conflict = await keepRefused(folder, { ...offer, note });
      if (conflict !== undefined) await this.#options.onConflict(conflict);
      if (judgement.status === 409) return sizeConflict(folder.pending?.checkpoint.size ?? 0);
      return refusal(judgement.status, judgement.reason);
    }
    this.#parts.witness.notBefore(folder.pending?.time ?? 0);
    const cosignatures = await this.#parts.witness.cosign(checkpoint);
    // The same tree signed anew is no news: the first note stays, so that what names it by its hash stays true.
    const kept = folder.pending?.checkpoint.size === checkpoint.size ? folder.pending.note : note;
    await folder.setPending(checkpoint, kept, cosignatures);
    await folder.conflicts.settle(kept);
    await this.#options.onPending?.(origin, checkpoint.size);
    return cosigned(cosignatures.lines);
  }

  /**
   * `POST add-entries`: verifies and stores packages as they arrive. Answers as soon as it knows, which may be before the
   * body ends (see requestBody and discardRest). A body that breaks off is an upload to go on with.
   */
  async addEntries(body: AsyncIterable<Uint8Array>): Promise<ProtocolResponse> {
    const reader = new ByteReader(body);
    try {
      const header = await readUploadHeader(reader);
      const admission = admit(header.origin, await this.#options.keySet(header.origin, header.end));
      if ("refused" in admission) return admission.refused;
      const folder = await this.#parts.folders.obtain(header.origin);
      const receipt = await receiveEntries({
        folder,
        header,
        reader,
        tickets: this.#parts.tickets,
        inspect: this.#options.inspect,
      });
      if (receipt.complete) return await folder.queue.run(() => this.#finish(folder, header, receipt.tree));
      if (receipt.conflict !== undefined) await this.#report(folder, receipt.conflict);
      return receipt.response;
    } catch (error) {
      return malformed(error);
    } finally {
      await reader.close();
    }
  }

  async #report(folder: MirroredFolder, conflict: Conflict): Promise<void> {
    await folder.queue.run(() => folder.conflicts.keep(conflict));
    await this.#options.onConflict(conflict);
  }

  /** All entries up to `tree` are stored: make it the mirror checkpoint, unless a later one has overtaken it. */
  async #finish(folder: MirroredFolder, header: UploadHeader, tree: SignedCheckpoint): Promise<ProtocolResponse> {
    const { checkpoint } = tree;
    const admission = admit(folder.origin, await this.#options.keySet(folder.origin, checkpoint.size));
    if ("refused" in admission) return admission.refused;
    const mirrored = folder.mirrored;
    if (mirrored !== undefined && header.end < mirrored.checkpoint.size) {
      return uploadInfo(409, folder, folder.pending ?? tree, this.#parts.tickets);
    }
    await folder.prepareMirrored(checkpoint);
    this.#parts.mirror.notBefore(mirrored?.time ?? 0);
    const cosignatures = await this.#parts.mirror.cosign(checkpoint);
    const note = mirrored?.checkpoint.size === checkpoint.size ? mirrored.note : tree.note;
    await folder.setMirrored(checkpoint, note, cosignatures);
    await reexamineKept(folder, this.#options.onConflict);
    await this.#options.onMirrored?.(folder.origin, checkpoint.size);
    return cosigned(cosignatures.lines);
  }

  /** `GET <mirror prefix>/<path>`: `<hash of the origin>/checkpoint` with the mirror's cosignatures, `…/tile/…`. */
  async read(path: string): Promise<ProtocolResponse> {
    return readMirrored(this.#parts.folders, path);
  }

  /** `GET <witness prefix>/<path>`: `<hash of the origin>/checkpoint`, the pending one with the witness's cosignatures. */
  async readWitness(path: string): Promise<ProtocolResponse> {
    return readPending(this.#parts.folders, path);
  }

  /** Waits for what was begun and gives the folder back. */
  async close(): Promise<void> {
    await this.#parts.folders.close();
    await this.#parts.lock.release();
  }
}

function malformed(error: unknown): ProtocolResponse {
  if (error instanceof LedgerError && error.code === "protocol") return refusal(400, error.message);
  throw error;
}
