import type { Files, OpenFile } from "./files.ts";

/**
 * The same files with at most `most` of them open at a time: those that were not used for longest are closed and opened again
 * when they are needed. What was written is synced before its file is closed: a system need not report a failure to write it to
 * whoever opens the file later. When that fails, whoever uses the file next hears of it.
 *
 * More are open for a moment when more are used at once.
 */
export function pooledFiles(files: Files, most: number): Files {
  const pool = new Pool(most);
  return Object.freeze({
    async open(path: string, mode: "read" | "write"): Promise<OpenFile> {
      const file = new PooledFile(pool, () => files.open(path, mode));
      await file.use(async () => {});
      return file;
    },
    readWhole: (path) => files.readWhole(path),
    rename: (from, to) => files.rename(from, to),
    remove: (path) => files.remove(path),
    list: (directory) => files.list(directory),
    makeDirectory: (directory) => files.makeDirectory(directory),
    openDirectory: (directory) => files.openDirectory(directory),
    lock: (directory) => files.lock(directory),
  } satisfies Files);
}

class Pool {
  readonly #most: number;
  /** Open files in the order of their last use. */
  readonly #open = new Set<PooledFile>();

  readonly #closing = new Set<Promise<void>>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Resolves when those that have to go are gone. */
  async room(): Promise<void> {
    await Promise.all(this.#closing);
  }

  used(file: PooledFile): void {
    this.#open.delete(file);
    this.#open.add(file);
    if (this.#open.size <= this.#most) return;
    for (const oldest of this.#open) {
      if (this.#open.size <= this.#most) return;
      if (oldest.isIdle && oldest !== file) {
        this.#open.delete(oldest);
        const retired: Promise<void> = oldest.retire().finally(() => this.#closing.delete(retired));
        this.#closing.add(retired);
      }
    }
  }

  closed(file: PooledFile): void {
    this.#open.delete(file);
  }
}

class PooledFile implements OpenFile {
  readonly #pool: Pool;
  readonly #reopen: () => Promise<OpenFile>;
  #handle: Promise<OpenFile> | undefined;
  /** The end of closing it for a while. */
  #retired: Promise<void> = Promise.resolve();
  #users = 0;
  #unsynced = false;
  #failure: unknown;

  constructor(pool: Pool, reopen: () => Promise<OpenFile>) {
    this.#pool = pool;
    this.#reopen = reopen;
  }

  get isIdle(): boolean {
    return this.#users === 0;
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return this.use((file) => file.read(into, position));
  }

  write(bytes: Uint8Array, position: number): Promise<void> {
    this.#unsynced = true;
    return this.use((file) => file.write(bytes, position));
  }

  truncate(length: number): Promise<void> {
    this.#unsynced = true;
    return this.use((file) => file.truncate(length));
  }

  // What is written meanwhile counts as not synced.
  sync(): Promise<void> {
    const before = this.#unsynced;
    this.#unsynced = false;
    return this.use((file) => file.sync()).catch((error: unknown) => {
      this.#unsynced = before;
      throw error;
    });
  }

  size(): Promise<number> {
    return this.use((file) => file.size());
  }

  async close(): Promise<void> {
    this.#pool.closed(this);
    await this.#retired;
    const handle = this.#handle;
    this.#handle = undefined;
    await (await handle)?.close();
  }

  async use<T>(act: (file: OpenFile) => Promise<T>): Promise<T> {
    this.#users += 1;
    try {
      this.#handle ??= this.#retired.then(() => this.#pool.room()).then(this.#reopen);
      const opening = this.#handle;
      const file = await opening.catch((error: unknown) => {
        if (this.#handle === opening) this.#handle = undefined;
        throw error;
      });
      if (this.#failure !== undefined) {
        const failure = this.#failure;
        this.#failure = undefined;
        throw failure;
      }
      return await act(file);
    } finally {
      this.#users -= 1;
      if (this.#handle !== undefined) this.#pool.used(this);
    }
  }

  /** Closes it until it is used again. */
  retire(): Promise<void> {
    const handle = this.#handle;
    const unsynced = this.#unsynced;
    if (handle === undefined) return this.#retired;
    this.#handle = undefined;
    this.#unsynced = false;
    this.#retired = handle
      .then(async (file) => {
        try {
          if (unsynced) await file.sync();
        } finally {
          await file.close();
        }
      })
      .catch((error: unknown) => {
        this.#unsynced = unsynced;
        this.#failure = error;
      });
    return this.#retired;
  }
}
