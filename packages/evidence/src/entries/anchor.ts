import type { Hash, RootHash } from "../digest.ts";
import type { EntryBase, EntryKind } from "./entry-kind.ts";

/** A witness-cosigned plane checkpoint: whatever comes after this entry was written no earlier than that. */
export interface Anchor extends EntryBase<"anchor"> {
  readonly size: number;
  readonly root: RootHash;
  /** SHA-256 of the complete cosigned note, which the plane keeps. */
  readonly noteHash: Hash;
}

export const anchor: EntryKind<Anchor> = {
  name: "anchor",
  code: 8,
  write: (e) => [
    [2, e.size],
    [3, e.root],
    [4, e.noteHash],
  ],
  read: (field) => ({
    size: field(2, "size").uint(),
    root: field(3, "root").rootHash(),
    noteHash: field(4, "note hash").hash(),
  }),
};
