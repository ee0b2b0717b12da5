import { type Files, nodeFiles, type OpenFile } from "@tally/ledger";

/** The disk of this machine, as if only so many bytes fitted on it, and as if it could break and be mended. */
export class SmallDisk {
  /** Bytes that files may have together; no bound by default. */
  capacity = Number.POSITIVE_INFINITY;
  /** While set, every sync fails with EIO. */
  broken = false;
  readonly #sizes = new Map<string, number>();

  /** Bytes in all files that were opened for writing. */
  get used(): number {
    return [...this.#sizes.values()].reduce((sum, size) => sum + size, 0);
  }

  readonly files: Files = {
    ...nodeFiles,
    open: async (path, mode) => {
      const file = await nodeFiles.open(path, mode);
      return mode === "read" ? file : this.#bounded(path, file);
    },
    remove: async (path) => {
      await nodeFiles.remove(path);
      this.#sizes.delete(path);
    },
    rename: async (from, to) => {
      await nodeFiles.rename(from, to);
      this.#sizes.set(to, this.#sizes.get(from) ?? 0);
      this.#sizes.delete(from);
    },
  };

  async #bounded(path: string, file: OpenFile): Promise<OpenFile> {
    this.#sizes.set(path, await file.size());
    return {
      read: (into, position) => file.read(into, position),
      write: async (bytes, position) => {
        const had = this.#sizes.get(path) ?? 0;
        const fits = Math.max(0, had + Math.max(0, this.capacity - this.used) - position);
        const written = bytes.subarray(0, Math.max(0, Math.min(bytes.length, fits)));
        await file.write(written, position);
        this.#sizes.set(path, Math.max(had, position + written.length));
        if (written.length < bytes.length) throw failure("ENOSPC", "write", path);
      },
      truncate: async (length) => {
        await file.truncate(length);
        this.#sizes.set(path, length);
      },
      sync: async () => {
        if (this.broken) throw failure("EIO", "sync", path);
        await file.sync();
      },
      size: () => file.size(),
      close: () => file.close(),
    };
  }
}

function failure(code: string, operation: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${operation} ${path}`), { code, syscall: operation, path });
}
