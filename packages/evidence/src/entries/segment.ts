import { type Digest, hashFromDigest } from "../digest.ts";
import type { EntryBase, EntryKind } from "./entry-kind.ts";

/** Entries from `from` up to, not including, `to` were packed with their payloads and pushed as `artifact`. */
export interface Segment extends EntryBase<"segment"> {
  readonly from: number;
  readonly to: number;
  readonly artifact: Digest;
}

export const segment: EntryKind<Segment> = {
  name: "segment",
  code: 10,
  write: (e) => [
    [2, e.from],
    [3, e.to],
    [4, hashFromDigest(e.artifact)],
  ],
  read: (field) => {
    const from = field(2, "from").uint();
    const to = field(3, "to");
    if (to.uint() <= from) throw to.wrong(`an index above ${from}`);
    return { from, to: to.uint(), artifact: field(4, "artifact").digest() };
  },
};
