import type { ContentDigest } from "../../storage/content-digest.ts";

/** Content that something outside of the registry names. */
export interface Named {
  readonly digest: ContentDigest;
  /** As in "a statement names it". */
  readonly because: string;
}

/** What proofs need of a registry: its content is never collected, whatever the registry itself knows of it. */
export interface Evidence {
  /** One reader for each collection. */
  read(): EvidenceReader;
}

export interface EvidenceReader {
  /** Everything that is named. Asked once, at the beginning. */
  all(): AsyncIterable<Named>;
  /** What came to be named since the last question, of these at least: asked before they go, within `alone`. */
  since(digests: readonly ContentDigest[]): AsyncIterable<Named>;
  /** Takes a step during which nothing more comes to be named. */
  alone<T>(step: () => Promise<T>): Promise<T>;
}

/** Of a registry whose content nothing names from outside. */
export const noEvidence: Evidence = {
  read: () => ({ all: async function* () {}, since: async function* () {}, alone: (step) => step() }),
};
