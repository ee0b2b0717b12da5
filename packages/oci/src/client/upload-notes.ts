import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { ContentDigest } from "../storage/content-digest.ts";
import { syncDirectory } from "../storage/durable-file.ts";

/** Where uploads to one repository stand, so that a later run can go on with them. */
export interface UploadNotes {
  find(digest: ContentDigest): Promise<URL | undefined>;
  note(digest: ContentDigest, place: URL): Promise<void>;
  forget(digest: ContentDigest): Promise<void>;
}

/** More uploads than this at a time nobody has under way: the oldest are forgotten. */
const mostNotes = 1000;

/**
 * Notes in a file, one JSON object: `{"https://registry.example/v2/m sha256:…": "https://registry.example/v2/m/blobs/uploads/…"}`. An
 * upload's address may hold the right to write to it, so that only its owner may read the file. A file that cannot be written or read
 * costs no more than the chance to go on.
 */
export class UploadNotesFile implements UploadNotes {
  readonly #path: string;
  readonly #repository: string;
  #last: Promise<unknown> = Promise.resolve();

  /** `repository` is its URL, `https://registry.example/v2/m`. */
  constructor(path: string, repository: string) {
    this.#path = path;
    this.#repository = repository;
  }

  async find(digest: ContentDigest): Promise<URL | undefined> {
    const place = (await this.#read())[this.#key(digest)];
    return place !== undefined && URL.canParse(place) ? new URL(place) : undefined;
  }

  note(digest: ContentDigest, place: URL): Promise<void> {
    return this.#change((notes) => {
      delete notes[this.#key(digest)];
      notes[this.#key(digest)] = place.href;
    });
  }

  forget(digest: ContentDigest): Promise<void> {
    return this.#change((notes) => {
      delete notes[this.#key(digest)];
    });
  }

  #key(digest: ContentDigest): string {
    return `${this.#repository} ${digest}`;
  }

  #change(act: (notes: Record<string, string>) => void): Promise<void> {
    const done = this.#last.then(async () => {
      const before = await this.#read();
      const notes = { ...before };
      act(notes);
      const kept = Object.entries(notes).slice(-mostNotes);
      const text = JSON.stringify(Object.fromEntries(kept));
      if (text === JSON.stringify(before)) return;
      if (kept.length === 0) return rm(this.#path, { force: true });
      const temporary = `${this.#path}.${process.pid}`;
      await writeFile(temporary, text, { mode: 0o600 });
      await rename(temporary, this.#path);
      await syncDirectory(dirname(this.#path));
    });
    this.#last = done.catch(() => undefined);
    return done.catch(() => undefined);
  }

  async #read(): Promise<Record<string, string>> {
    try {
      const notes: unknown = JSON.parse(await readFile(this.#path, "utf8"));
      if (typeof notes !== "object" || notes === null || Array.isArray(notes)) return {};
      return Object.fromEntries(Object.entries(notes).filter(([, place]) => typeof place === "string"));
    } catch {
      return {};
    }
  }
}
