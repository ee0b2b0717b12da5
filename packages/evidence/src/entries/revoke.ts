import { type Digest, hashFromDigest } from "../digest.ts";
import type { EntryBase, EntryKind } from "./entry-kind.ts";
import { readKeyId, writeKeyId } from "./shapes.ts";

/** A key no longer counts: what it signed holds only if proven to precede `compromiseTime`. */
export interface Revoke extends EntryBase<"revoke"> {
  /** The ledger whose key it is; null for a person's key. */
  readonly origin: string | null;
  /** Lower-case hex of 4 to 32 bytes. */
  readonly keyId: string;
  /** Milliseconds since 1970; null when unknown, and then nothing that it signed holds. */
  readonly compromiseTime: number | null;
  /** The envelope of the operator's statement that says so. */
  readonly statement: Digest;
}

export const revoke: EntryKind<Revoke> = {
  name: "revoke",
  code: 51,
  write: (e) => [
    [2, e.origin],
    [3, writeKeyId(e.keyId)],
    [4, e.compromiseTime],
    [5, hashFromDigest(e.statement)],
  ],
  read: (field) => ({
    origin: field(2, "origin").nullable((f) => f.origin()),
    keyId: readKeyId(field(3, "key id")),
    compromiseTime: field(4, "compromise time").nullable((f) => f.uint()),
    statement: field(5, "statement").digest(),
  }),
};
