import { open, rm, truncate } from "node:fs/promises";
import { OciError } from "../error.ts";
import type { ByteSource, StagedBlob } from "./blob-store.ts";
import { writeSource } from "./block-writer.ts";
import { algorithmOf, type ContentDigest, DigestStream, requireDigest } from "./content-digest.ts";
import { readFileStream } from "./read-stream.ts";
import { storing } from "./storing.ts";

/** What a staged file needs of its store. */
export interface StagingPlace {
  /** Moves the finished, fsynced file to where its digest belongs. */
  place(path: string, digest: ContentDigest): Promise<void>;
  forget(id: string): void;
}

/** An upload kept as one file that grows; its sha256 runs along while the process lives, and is recomputed otherwise. */
export class StagedFile implements StagedBlob {
  readonly id: string;
  readonly #path: string;
  readonly #store: StagingPlace;
  #size: number;
  #running: DigestStream | undefined;
  #busy = false;
  /** What it became, while nobody holds that yet. */
  #placed: ContentDigest | undefined;

  constructor(id: string, path: string, size: number, store: StagingPlace) {
    this.id = id;
    this.#path = path;
    this.#size = size;
    this.#store = store;
    if (size === 0) this.#running = new DigestStream();
  }

  get size(): number {
    return this.#size;
  }

  append(offset: number, source: ByteSource): Promise<number> {
    return this.#alone(async () => {
      if (this.#placed !== undefined) {
        throw new OciError("range-invalid", `the upload has become ${this.#placed}: finish it as that`);
      }
      if (offset !== this.#size) {
        const what = offset > this.#size ? "a gap" : "an overlap";
        throw new OciError("range-invalid", `a chunk at ${offset} leaves ${what}: ${this.#size} bytes are here`);
      }
      const file = await storing("opening an upload", () => open(this.#path, "a+", 0o600));
      try {
        await writeSource(file, this.#size, source, (chunk) => this.#running?.update(chunk));
        this.#size = (await file.stat()).size;
      } catch (error) {
        // On a full disk what was not acknowledged gives its room back; a broken connection goes on where it stopped.
        if (error instanceof OciError && error.code === "storage-full") await file.truncate(offset).catch(() => {});
        this.#size = (await file.stat()).size;
        // A chunk may have been hashed and only partly written.
        this.#running = undefined;
        throw error;
      } finally {
        await file.close();
      }
      return this.#size;
    });
  }

  truncate(size: number): Promise<void> {
    return this.#alone(async () => {
      if (size >= this.#size || this.#placed !== undefined) return;
      await storing("cutting an upload", () => truncate(this.#path, size));
      this.#size = size;
      this.#running = size === 0 ? new DigestStream() : undefined;
    });
  }

  commit<D extends ContentDigest>(
    digest: D,
    hold: (size: number) => Promise<void> = async () => {},
  ): Promise<{ digest: D; size: number }> {
    return this.#alone(async () => {
      const size = this.#size;
      if (this.#placed === undefined) await this.#place(digest);
      else requireDigest("the upload", digest, this.#placed);
      await hold(size);
      this.#store.forget(this.id);
      return { digest, size };
    });
  }

  async #place(digest: ContentDigest): Promise<void> {
    // "a" creates the file of an upload to which nothing was ever sent: the empty blob.
    const file = await storing("opening an upload", () => open(this.#path, "a", 0o600));
    try {
      requireDigest("the upload", digest, await this.#digest(algorithmOf(digest)));
      await storing("writing an upload", async () => {
        // It becomes a blob now, however long ago its last bytes came.
        const now = new Date();
        await file.utimes(now, now);
        await file.sync();
      });
    } finally {
      await file.close();
    }
    await this.#store.place(this.#path, digest);
    this.#placed = digest;
  }

  discard(): Promise<void> {
    return this.#alone(async () => {
      await storing("discarding an upload", () => rm(this.#path, { force: true }));
      this.#store.forget(this.id);
    });
  }

  async #digest(algorithm: "sha256" | "sha512"): Promise<ContentDigest> {
    const running = this.#running;
    this.#running = undefined;
    if (running?.algorithm === algorithm) return running.digest();
    const hash = new DigestStream(algorithm);
    for await (const chunk of readFileStream(this.#path)) hash.update(chunk);
    return hash.digest();
  }

  async #alone<T>(step: () => Promise<T>): Promise<T> {
    if (this.#busy) {
      throw new OciError("busy", `upload ${this.id} is being written by another request`, {
        hint: "wait for it, then ask for its size",
      });
    }
    this.#busy = true;
    try {
      return await step();
    } finally {
      this.#busy = false;
    }
  }
}
