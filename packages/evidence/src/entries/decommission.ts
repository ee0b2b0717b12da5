import type { Digest } from "../digest.ts";
import type { EntryBase, EntryKind } from "./entry-kind.ts";
import { readDigestOrNull, writeDigest } from "./shapes.ts";

/** A ledger ended for good; nothing more of it is accepted. */
export interface Decommission extends EntryBase<"decommission"> {
  readonly origin: string;
  /** The envelope of the statement that says why, if there is one. */
  readonly statement: Digest | null;
}

export const decommission: EntryKind<Decommission> = {
  name: "decommission",
  code: 52,
  write: (e) => [
    [2, e.origin],
    [3, writeDigest(e.statement)],
  ],
  read: (field) => ({
    origin: field(2, "origin").origin(),
    statement: readDigestOrNull(field(3, "statement")),
  }),
};
