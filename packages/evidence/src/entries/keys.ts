import type { KeySet } from "../note/index.ts";
import type { EntryBase, EntryKind } from "./entry-kind.ts";
import { readKeySet, writeKeySet } from "./shapes.ts";

/** From size `fromSize` on, checkpoints of `origin` need every signature of this key set, and those of no other. */
export interface Keys extends EntryBase<"keys"> {
  readonly origin: string;
  readonly fromSize: number;
  readonly keySet: KeySet;
}

export const keys: EntryKind<Keys> = {
  name: "keys",
  code: 49,
  write: (e) => [
    [2, e.origin],
    [3, e.fromSize],
    [4, writeKeySet(e.keySet)],
  ],
  read: (field) => ({
    origin: field(2, "origin").origin(),
    fromSize: field(3, "from size").uint(),
    keySet: readKeySet(field(4, "key set")),
  }),
};
