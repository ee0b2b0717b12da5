import { type FileHandle, open } from "node:fs/promises";

/**
 * Makes writes durable together: whatever is added while one fsync runs shares the next. After a failed fsync nobody knows
 * what the disk holds (evidence.md 1): what was not durable by then is written again, in its order, before anything else is.
 */
export class SharedWrite {
  readonly #files: readonly FileHandle[];
  #waiting: (() => Promise<void>)[] = [];
  #next: Promise<void> | undefined;
  #running: Promise<void> = Promise.resolve();
  /** Writes of failed rounds, of which nobody knows how much the disk holds. */
  #owed: readonly (() => Promise<void>)[] = [];

  /** @param files what is fsynced after each round, in this order */
  constructor(files: readonly FileHandle[]) {
    this.#files = files;
  }

  /**
   * Runs `write` in the order of the calls and resolves when it is durable. Where that fails it is run again, later, with
   * the same effect.
   */
  add(write: () => Promise<void>): Promise<void> {
    this.#waiting.push(write);
    return this.#soon();
  }

  /** Makes durable what failed before, if anything did. Rejects while the disk still fails; call it before adding more. */
  async recover(): Promise<void> {
    if (this.#owed.length > 0) await this.#soon();
  }

  /** Resolves when nothing is being written any more. */
  async settled(): Promise<void> {
    await this.#running.catch(() => {});
  }

  #soon(): Promise<void> {
    this.#next ??= this.#running = this.#running.catch(() => {}).then(() => this.#round());
    // Whoever awaits it hears of the failure; nobody may be awaiting the round itself.
    this.#next.catch(() => {});
    return this.#next;
  }

  async #round(): Promise<void> {
    const writes = [...this.#owed, ...this.#waiting];
    this.#waiting = [];
    this.#next = undefined;
    try {
      for (const write of writes) await write();
      for (const file of this.#files) await file.datasync();
      this.#owed = [];
    } catch (error) {
      this.#owed = writes;
      throw error;
    }
  }
}

/** Writes all of it, however many calls the system takes for that. */
export async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const step = await file.write(bytes, written, bytes.length - written, position + written);
    written += step.bytesWritten;
  }
}

/** How many bytes there were before the end of the file. */
export async function readAll(file: FileHandle, into: Uint8Array, position: number): Promise<number> {
  let read = 0;
  while (read < into.length) {
    const step = await file.read(into, read, into.length - read, position + read);
    if (step.bytesRead === 0) break;
    read += step.bytesRead;
  }
  return read;
}

/** Opens for reading and writing; creates it, for its owner only, where there is none. */
export function openOrCreate(path: string): Promise<FileHandle> {
  return open(path, "r+").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return open(path, "wx+", 0o600);
  });
}
