import { type Digest, hashFromDigest } from "../digest.ts";
import type { EntryBase, EntryKind } from "./entry-kind.ts";
import type { Field } from "./fields.ts";
import { maxInlineItems, writeListOrBlob } from "./shapes.ts";

/** A statement in the plane's log. The envelope itself is a blob: it may be large, and it stands behind a role. */
export interface StatementLeaf extends EntryBase<"statement"> {
  /** SHA-256 of the envelope's bytes, signatures included. */
  readonly envelope: Digest;
  readonly predicateType: string;
  /** The statement's subjects in its order; empty when `subjectsBlob` names the stored list. */
  readonly subjects: readonly Digest[];
  /** Deterministic CBOR of the list, where there are more than 512. */
  readonly subjectsBlob?: Digest;
}

export const statementLeaf: EntryKind<StatementLeaf> = {
  name: "statement",
  code: 32,
  write: (e) => [
    [2, hashFromDigest(e.envelope)],
    [3, e.predicateType],
    [4, writeListOrBlob(e.subjects.map(hashFromDigest), e.subjectsBlob)],
  ],
  read: (field) => ({
    envelope: field(2, "envelope").digest(),
    predicateType: field(3, "predicate type").text(),
    ...readSubjects(field(4, "subjects")),
  }),
};

function readSubjects(field: Field): Pick<StatementLeaf, "subjects" | "subjectsBlob"> {
  if (field.isBytes()) return { subjects: Object.freeze([]), subjectsBlob: field.digest() };
  return { subjects: field.list((item) => item.digest(), maxInlineItems) };
}
