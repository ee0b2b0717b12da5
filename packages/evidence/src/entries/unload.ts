import type { EntryBase, EntryKind } from "./entry-kind.ts";

/** Reason codes of an unload. Codes not listed here are kept as they are. */
export const unloadReasons = { closed: 0, replaced: 1, quarantined: 2, failed: 3 } as const;

/** A model was let go; no later record may name that load. */
export interface Unload extends EntryBase<"unload"> {
  readonly loadIndex: number;
  /** One of `unloadReasons`. */
  readonly reason: number;
}

export const unload: EntryKind<Unload> = {
  name: "unload",
  code: 4,
  write: (e) => [
    [2, e.loadIndex],
    [3, e.reason],
  ],
  read: (field) => ({ loadIndex: field(2, "load index").uint(), reason: field(3, "reason").uint() }),
};
