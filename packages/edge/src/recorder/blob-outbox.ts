import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, digestOf, parseDigest } from "@tally/evidence";
import { EdgeError } from "../error.ts";
import { removeDurably, writeDurably } from "../folder/durable-file.ts";

/** Blobs that entries name, kept until the plane has them. One file each, named by the hex of its digest. */
export class BlobOutbox {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Durable before the entry that names it may be written. */
  async put(bytes: Uint8Array): Promise<Digest> {
    const digest = digestOf(bytes);
    await writeDurably(this.#path(digest), bytes);
    return digest;
  }

  async list(): Promise<Digest[]> {
    const names = await readdir(this.#folder).catch((error: NodeJS.ErrnoException): string[] => {
      if (error.code === "ENOENT") return [];
      throw error;
    });
    return names.filter((name) => /^[0-9a-f]{64}$/.test(name)).map((name) => parseDigest(`sha256:${name}`));
  }

  /** @throws EdgeError `damaged` when the file is not what its name says. */
  async read(digest: Digest): Promise<Uint8Array> {
    const bytes = new Uint8Array(await readFile(this.#path(digest)));
    if (digestOf(bytes) !== digest) {
      throw new EdgeError("damaged", `${this.#path(digest)} has other content than its name says`, {
        hint: "the entry that names it cannot be shown whole; keep the folder and call for help",
      });
    }
    return bytes;
  }

  /** The plane has it. */
  remove(digest: Digest): Promise<void> {
    return removeDurably(this.#path(digest));
  }

  #path(digest: Digest): string {
    return join(this.#folder, digest.slice("sha256:".length));
  }
}
