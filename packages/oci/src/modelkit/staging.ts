import { lstat, mkdir, opendir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Digest } from "@tally/evidence";
import { OciError } from "../error.ts";
import { makeDirectoryDurably, renameDurably, storing, syncDirectory } from "../storage/durable-file.ts";
import { holdExclusively } from "../storage/exclusive.ts";

/**
 * The folder in which a model gathers before it has its name, beside the place where it belongs:
 *
 *     .<name>.part/manifest     the digests of the manifests whose files these are
 *     .<name>.part/lock         held by the process that works here
 *     .<name>.part/files/       the model's files, as far as they came
 *     .<name>.part/layers/      what it takes to go on: see StagedLayer
 *
 * It outlives the process, and another unpacking of the same manifest to the same place goes on with it.
 */
export class Staging {
  readonly files: string;
  readonly layers: string;
  readonly #dir: string;
  readonly #into: string;
  readonly #lock: Disposable;

  private constructor(dir: string, into: string, lock: Disposable) {
    this.#dir = dir;
    this.#into = into;
    this.#lock = lock;
    this.files = join(dir, "files");
    this.layers = join(dir, "layers");
  }

  /** Where a model gathers that is to be at `into`. */
  static folderOf(into: string): string {
    return join(dirname(into), `.${basename(into)}.part`);
  }

  /** Begins, or goes on with what is there of the same manifest. Throws `busy` while another process does. */
  static async open(into: string, manifests: readonly Digest[]): Promise<Staging> {
    const dir = Staging.folderOf(into);
    const staging = await storing("making a folder to unpack into", async () => {
      await makeDirectoryDurably(dirname(dir));
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await requireOwn(dir);
      return new Staging(dir, into, holdExclusively(join(dir, "lock"), into));
    });
    try {
      const marker = join(dir, "manifest");
      const names = manifests.join("\n");
      const before = await readFile(marker, "utf8").catch(() => undefined);
      if (before !== names) {
        await staging.clear();
        await storing("beginning to unpack", () => writeFile(marker, names));
      }
      await staging.#makeFolders();
      return staging;
    } catch (error) {
      staging.close();
      throw error;
    }
  }

  /** Drops what came so far, to begin anew. */
  async clear(): Promise<void> {
    await rm(this.files, { recursive: true, force: true });
    await rm(this.layers, { recursive: true, force: true });
    await this.#makeFolders();
  }

  /** Removes files, and the folders that are empty without them. */
  async leaveOut(names: readonly string[]): Promise<void> {
    for (const name of names) {
      await rm(join(this.files, name));
      for (let folder = dirname(name); folder !== "."; folder = dirname(folder)) {
        if (
          !(await rmdir(join(this.files, folder)).then(
            () => true,
            () => false,
          ))
        )
          break;
      }
    }
  }

  /** Gives the files their place, durable when it resolves. */
  async place(): Promise<void> {
    await storing("making an unpacked model durable", () => syncFolders(this.files));
    await storing("placing an unpacked model", () => renameDurably(this.files, this.#into));
    await this.discard();
  }

  async discard(): Promise<void> {
    await rm(this.#dir, { recursive: true, force: true });
  }

  close(): void {
    this.#lock[Symbol.dispose]();
  }

  async #makeFolders(): Promise<void> {
    await storing("making a folder to unpack into", async () => {
      await mkdir(this.files, { recursive: true });
      await mkdir(this.layers, { recursive: true });
    });
  }
}

/**
 * What lies here from before is gone on with, and what is checked here gets the model's name: nobody else may have hands on it. In a
 * folder that others write to, such as `/tmp`, one of them may have been here first, with a folder or a link of that name.
 */
async function requireOwn(dir: string): Promise<void> {
  const found = await lstat(dir);
  const isOwn = process.getuid === undefined || found.uid === process.getuid();
  if (found.isDirectory() && isOwn && (found.mode & 0o022) === 0) return;
  throw new OciError("refused", `${dir} is there already, and others may write to it`, {
    hint: "remove it, or unpack to a folder that is yours alone",
  });
}

async function syncFolders(folder: string): Promise<void> {
  for await (const item of await opendir(folder)) {
    if (item.isDirectory()) await syncFolders(join(folder, item.name));
  }
  await syncDirectory(folder);
}
