import { randomUUID } from "node:crypto";
import { Refusal } from "../registry/refusal.ts";

interface Place {
  readonly repository: string;
  /** Who began it; "" where callers are not told apart. */
  readonly owner: string;
  /** Where the outside registry said that the upload goes on. */
  url: URL;
  touched: number;
}

/** More uploads at a time than this and the one that was silent the longest is forgotten. */
const mostPlaces = 10_000;
const placeAge = 24 * 60 * 60 * 1000;

/**
 * Uploads under way, by a name of ours: what an outside registry calls them may hold its state, and its address. They live as
 * long as the process; a client whose upload is unknown after a restart begins again, as after any 404.
 */
export class UploadPlaces {
  readonly #places = new Map<string, Place>();
  readonly #clock: { now(): number };

  constructor(clock: { now(): number }) {
    this.#clock = clock;
  }

  begin(repository: string, owner: string, url: URL): string {
    const now = this.#clock.now();
    // In the order in which they were last touched: the first are the oldest.
    for (const [id, { touched }] of this.#places) {
      if (this.#places.size < mostPlaces && now - touched < placeAge) break;
      this.#places.delete(id);
    }
    const id = randomUUID();
    this.#places.set(id, { repository, owner, url, touched: now });
    return id;
  }

  /** Throws a 404 for one that is not under way in this repository, or is somebody else's. */
  find(repository: string, id: string, owner: string): URL {
    const place = this.#places.get(id);
    if (place?.repository === repository && place.owner === owner) return place.url;
    throw new Refusal(
      404,
      "BLOB_UPLOAD_UNKNOWN",
      `no upload ${id.slice(0, 64)} is under way in ${repository}; begin again`,
    );
  }

  /** The outside registry may name another place after each chunk. */
  move(id: string, url: URL): void {
    const place = this.#places.get(id);
    if (place === undefined) return;
    this.#places.delete(id);
    this.#places.set(id, { ...place, url, touched: this.#clock.now() });
  }

  end(id: string): void {
    this.#places.delete(id);
  }
}
