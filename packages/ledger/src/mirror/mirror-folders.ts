import { join } from "node:path";
import { LedgerError } from "../error.ts";
import type { Files } from "../files/index.ts";
import { originHash } from "../witness/origin-folder.ts";
import { MirroredFolder } from "./mirrored-log.ts";

const HASH = /^[0-9a-f]{64}$/;

/** The logs of a mirror, one folder each, named by the hash of the origin. */
export class MirrorFolders {
  readonly #files: Files;
  readonly #dir: string;
  readonly #open = new Map<string, MirroredFolder>();
  readonly #opening = new Map<string, Promise<MirroredFolder>>();

  private constructor(files: Files, dir: string) {
    this.#files = files;
    this.#dir = dir;
  }

  static async open(files: Files, dir: string): Promise<MirrorFolders> {
    const folders = new MirrorFolders(files, join(dir, "logs"));
    await files.makeDirectory(folders.#dir);
    for (const hash of await files.list(folders.#dir)) {
      if (HASH.test(hash)) await folders.#reopen(hash);
    }
    return folders;
  }

  /** Every log for which a checkpoint was accepted. */
  all(): MirroredFolder[] {
    return [...this.#open.values()].filter((folder) => folder.pending !== undefined);
  }

  /** The log whose origin has this hash, if a checkpoint of it was accepted. */
  find(hash: string): MirroredFolder | undefined {
    const folder = this.#open.get(hash);
    return folder?.pending === undefined ? undefined : folder;
  }

  /** The folder of an origin, made when it is new. Rejects with what is wrong with a folder that cannot be opened. */
  obtain(origin: string): Promise<MirroredFolder> {
    const hash = originHash(origin);
    const known = this.#opening.get(hash);
    if (known !== undefined) return known;
    const opening = this.#begin(hash, origin);
    this.#opening.set(hash, opening);
    opening.catch(() => this.#opening.delete(hash));
    return opening;
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#opening.values());
    for (const folder of this.#open.values()) await folder.close();
  }

  async #begin(hash: string, origin: string): Promise<MirroredFolder> {
    const folder = await MirroredFolder.open(this.#files, join(this.#dir, hash), origin);
    this.#open.set(hash, folder);
    return folder;
  }

  // A folder that cannot be opened takes nothing else down: whoever asks for its log tries again and meets the error.
  async #reopen(hash: string): Promise<void> {
    try {
      const origin = await MirroredFolder.originOf(this.#files, join(this.#dir, hash));
      if (origin !== undefined) await this.obtain(origin);
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
    }
  }
}
