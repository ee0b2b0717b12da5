import { COMMITS_FILE, ENTRIES_FILE, HASHES_FILE, TILES_FILE } from "../store/layout.ts";

/** One thing wrong: in which file of the folder, at which entry and byte, what, and what to do about it. */
export interface CheckProblem {
  /** The file, relative to the folder that was checked. */
  readonly where: string;
  readonly what: string;
  /** The first entry that is concerned. */
  readonly entry?: number;
  /** Where in the file it begins, in bytes. */
  readonly offset?: number;
  readonly hint: string;
}

/** Enough to see what is wrong; a log of which everything is wrong gives no longer list. */
const MOST_PROBLEMS = 100;

/** What to do about a file that does not hold, where nothing closer is known. */
const hints: Readonly<Record<string, string>> = {
  [ENTRIES_FILE]:
    "keep the folder as it is; entries that were synced are at the mirror, and a device goes on in a new epoch",
  [COMMITS_FILE]:
    "keep the folder as it is; the entries are proven apart from it, as far as nothing is said against them",
  [HASHES_FILE]: "no entry is lost: it follows from the entries; remove it, and the next start computes it anew",
  [TILES_FILE]: "no entry is lost: it follows from the entries; remove it, and the next start computes it anew",
};

/** Gathers problems, no more than make sense to read. */
export class Problems {
  readonly #found: CheckProblem[] = [];

  add(where: string, what: string, place: { entry?: number; offset?: number; hint?: string } = {}): void {
    if (this.#found.length >= MOST_PROBLEMS) return;
    const { hint = hints[where] ?? "restore the file from a copy of the folder", ...at } = place;
    this.#found.push(Object.freeze({ where, what, ...at, hint }));
  }

  /** Whether a file was found wrong. */
  has(where: string): boolean {
    return this.#found.some((problem) => problem.where === where);
  }

  get all(): readonly CheckProblem[] {
    return Object.freeze([...this.#found]);
  }
}
