import type { RootHash } from "../digest.ts";
import type { EntryBase, EntryKind } from "./entry-kind.ts";

/** Commits to the latest head of every device ledger at once; the tree's leaves are in `head-leaf.ts`. */
export interface HeadsLeaf extends EntryBase<"heads"> {
  readonly fleetSize: number;
  readonly fleetRoot: RootHash;
  /** How many ledgers the tree has leaves for: every origin ever admitted at that fleet size. */
  readonly n: number;
  readonly root: RootHash;
}

export const headsLeaf: EntryKind<HeadsLeaf> = {
  name: "heads",
  code: 33,
  write: (e) => [
    [2, e.fleetSize],
    [3, e.fleetRoot],
    [4, e.n],
    [5, e.root],
  ],
  read: (field) => ({
    fleetSize: field(2, "fleet size").uint(),
    fleetRoot: field(3, "fleet root").rootHash(),
    n: field(4, "n").uint(),
    root: field(5, "root").rootHash(),
  }),
};
