import type { LeafHash } from "../digest.ts";
import type { EntryBase, EntryKind } from "./entry-kind.ts";
import { readCommitment, readKeyId, type SaltedCommitment, writeCommitment, writeKeyId } from "./shapes.ts";

/** Ground truth or a correction for a record of any ledger. Labels accumulate; none replaces another. */
export interface Label extends EntryBase<"label"> {
  /** The ledger of the record. */
  readonly origin: string;
  readonly index: number;
  readonly leafHash: LeafHash;
  readonly label: SaltedCommitment;
  /** Key id of who says so, lower-case hex of 4 to 32 bytes. */
  readonly who: string;
}

export const label: EntryKind<Label> = {
  name: "label",
  code: 6,
  write: (e) => [
    [2, e.origin],
    [3, e.index],
    [4, e.leafHash],
    [5, writeCommitment(e.label)],
    [6, writeKeyId(e.who)],
  ],
  read: (field) => ({
    origin: field(2, "origin").origin(),
    index: field(3, "index").uint(),
    leafHash: field(4, "leaf hash").leafHash(),
    label: readCommitment(field(5, "label")),
    who: readKeyId(field(6, "who")),
  }),
};
