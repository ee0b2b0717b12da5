import { randomUUID } from "node:crypto";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "@tally/evidence";
import type { ByteSource } from "../storage/blob-store.ts";
import { algorithmOf, type ContentDigest, hexOf } from "../storage/content-digest.ts";
import { makeDirectoryDurably, renameDurably, storing, writeBlobFile } from "../storage/durable-file.ts";

/** The files of an image layout, each either whole and durable or absent. */
export class LayoutFolder {
  readonly dir: string;
  #ingestReady: Promise<void> | undefined;

  constructor(dir: string) {
    this.dir = dir;
  }

  /** Writes a blob. */
  async ingest(digest: ContentDigest, source: ByteSource): Promise<void> {
    const temporary = await this.#temporary();
    await storing("making folders of a layout", () => makeDirectoryDurably(join(this.path(digest), "..")));
    await writeBlobFile(temporary, digest, source);
    await this.#placeFile(temporary, this.path(digest));
  }

  /** Writes a blob whose digest is known only when all of it was read. */
  async ingestNew(source: ByteSource): Promise<{ digest: Digest; size: number }> {
    const temporary = await this.#temporary();
    const written = await writeBlobFile<Digest>(temporary, null, source);
    const path = this.path(written.digest);
    await storing("making folders of a layout", () => makeDirectoryDurably(join(path, "..")));
    await this.#placeFile(temporary, path);
    return written;
  }

  /** Replaces a file at the top of the layout. */
  async writeFile(name: string, text: string): Promise<void> {
    const temporary = await this.#temporary();
    await writeBlobFile(temporary, null, new TextEncoder().encode(text));
    await this.#placeFile(temporary, join(this.dir, name));
  }

  /** A new name to write under; at the first one, what an interrupted writer left is removed. */
  async #temporary(): Promise<string> {
    const folder = join(this.dir, "ingest");
    this.#ingestReady ??= storing("preparing a layout for writing", async () => {
      await rm(folder, { recursive: true, force: true });
      await makeDirectoryDurably(folder);
    });
    await this.#ingestReady;
    return join(folder, randomUUID());
  }

  async #placeFile(temporary: string, path: string): Promise<void> {
    try {
      await storing("placing a file of a layout", () => renameDurably(temporary, path));
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  /** Bytes of a blob; undefined when it is absent. */
  async size(digest: ContentDigest): Promise<number | undefined> {
    const found = await stat(this.path(digest)).catch(() => undefined);
    return found?.isFile() ? found.size : undefined;
  }

  path(digest: ContentDigest): string {
    return join(this.dir, "blobs", algorithmOf(digest), hexOf(digest));
  }
}
