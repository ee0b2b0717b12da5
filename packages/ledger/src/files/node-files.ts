import { fdatasync, write } from "node:fs";
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Files, OpenDirectory, OpenFile } from "./files.ts";
import { lockFolder } from "./folder-lock.ts";

/** The file system of this machine. */
export const nodeFiles: Files = Object.freeze({
  async open(path: string, mode: "read" | "write"): Promise<OpenFile> {
    if (mode === "read") return new NodeFile(await open(path, "r"));
    // "r+" does not create and "w+" truncates: open what is there, else create it.
    const handle = await open(path, "r+").catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
      return open(path, "wx+", 0o600);
    });
    return new NodeFile(handle);
  },

  async readWhole(path: string): Promise<Uint8Array | undefined> {
    try {
      return new Uint8Array(await readFile(path));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  },

  rename,

  async remove(path: string): Promise<void> {
    await rm(path, { force: true });
  },

  async list(directory: string): Promise<string[]> {
    try {
      return (await readdir(directory)).sort();
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  },

  async makeDirectory(directory: string): Promise<void> {
    const first = await mkdir(directory, { recursive: true, mode: 0o700 });
    if (first === undefined) return;
    for (let made = resolve(directory); made.length >= resolve(first).length; made = dirname(made)) {
      const parent = await openNodeDirectory(dirname(made));
      await parent.sync().finally(() => parent.close());
    }
  },

  openDirectory: openNodeDirectory,
  lock: lockFolder,
});

class NodeFile implements OpenFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    let filled = 0;
    while (filled < into.length) {
      const { bytesRead } = await this.#handle.read(into, filled, into.length - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled;
  }

  // Writing and syncing take calls with a callback: those with a promise cost 15 µs more each (measured), and a group commit
  // makes four.
  write(bytes: Uint8Array, position: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const { fd } = this.#handle;
      const writeFrom = (from: number): void =>
        write(fd, bytes, from, bytes.length - from, position + from, (error, count) => {
          if (error !== null) reject(error);
          else if (from + count < bytes.length) writeFrom(from + count);
          else resolve();
        });
      writeFrom(0);
    });
  }

  async truncate(length: number): Promise<void> {
    await this.#handle.truncate(length);
  }

  // fdatasync: data and length, without the times of the inode.
  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fdatasync(this.#handle.fd, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

async function openNodeDirectory(directory: string): Promise<OpenDirectory> {
  // Windows has no handle on a directory that can be synced; its renames are journalled.
  if (process.platform === "win32") return { sync: async () => {}, close: async () => {} };
  const handle = await open(directory, "r");
  return { sync: () => handle.sync(), close: () => handle.close() };
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}
