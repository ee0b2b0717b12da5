import type { EntryBase, EntryKind } from "./entry-kind.ts";

/** Reason codes of a gap. Codes not listed here are kept as they are. */
export const gapReasons = { "unclean-stop": 0, "storage-full": 1, "storage-failed": 2, "not-captured": 3 } as const;

/** Records were lost or deliberately not written: at most `atMost` of them, after entry `from` and before entry `to`. */
export interface Gap extends EntryBase<"gap"> {
  readonly atMost: number;
  readonly from: number;
  readonly to: number;
  /** One of `gapReasons`. */
  readonly reason: number;
}

export const gap: EntryKind<Gap> = {
  name: "gap",
  code: 9,
  write: (e) => [
    [2, e.atMost],
    [3, e.from],
    [4, e.to],
    [5, e.reason],
  ],
  read: (field) => {
    const from = field(3, "from").uint();
    const to = field(4, "to");
    if (to.uint() < from) throw to.wrong(`an index not below ${from}`);
    return { atMost: field(2, "at most").uint(), from, to: to.uint(), reason: field(5, "reason").uint() };
  },
};
