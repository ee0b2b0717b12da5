import { compareBytes, utf8 } from "../bytes.ts";
import { decodeCbor, encodeCbor } from "../cbor/index.ts";
import type { Hash, RootHash } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { hashLeaf, rootOf } from "../merkle/index.ts";
import { Field } from "./fields.ts";

/**
 * One leaf of the tree that a `heads` entry commits to: what the plane holds of one device ledger.
 *
 *     [origin, pending size, pending root, SHA-256 of the pending note / null, mirrored size, mirrored root]
 *
 * Where nothing has arrived the sizes are 0, the roots those of the empty tree, and the note is null.
 */
export interface HeadLeaf {
  readonly origin: string;
  /** The newest checkpoint the plane has cosigned as a witness. */
  readonly pendingSize: number;
  readonly pendingRoot: RootHash;
  /** SHA-256 of the complete pending note. */
  readonly pendingNoteHash: Hash | null;
  /** The newest checkpoint whose entries the plane holds. */
  readonly mirroredSize: number;
  readonly mirroredRoot: RootHash;
}

const items = ["origin", "pending size", "pending root", "pending note hash", "mirrored size", "mirrored root"];

/** Deterministic CBOR of the leaf; `hashLeaf` of it is the leaf hash. */
export function encodeHeadLeaf(leaf: HeadLeaf): Uint8Array {
  const { origin, pendingSize, pendingRoot, pendingNoteHash, mirroredSize, mirroredRoot } = leaf;
  const list = [origin, pendingSize, pendingRoot, pendingNoteHash, mirroredSize, mirroredRoot];
  readHeadLeaf(new Field(list, () => "head leaf"));
  return encodeCbor(list);
}

/** @throws EvidenceError `cbor-invalid` or `entry-invalid`. */
export function decodeHeadLeaf(bytes: Uint8Array): HeadLeaf {
  return readHeadLeaf(new Field(decodeCbor(bytes), () => "head leaf"));
}

/** The leaves in the order of the tree: by the UTF-8 bytes of their origins. Refuses two leaves of one origin. */
export function sortHeadLeaves(leaves: readonly HeadLeaf[]): HeadLeaf[] {
  const sorted = leaves.map((leaf) => ({ leaf, key: utf8(leaf.origin) })).sort((a, b) => compareBytes(a.key, b.key));
  return sorted.map(({ leaf }, i) => {
    if (i > 0 && sorted[i - 1]?.leaf.origin === leaf.origin) {
      throw new EvidenceError("entry-invalid", `heads: ${leaf.origin} has more than one leaf`);
    }
    return leaf;
  });
}

/** The RFC 6962 root over the leaves, sorted first. */
export function headsRoot(leaves: readonly HeadLeaf[]): RootHash {
  return rootOf(sortHeadLeaves(leaves).map((leaf) => hashLeaf(encodeHeadLeaf(leaf))));
}

function readHeadLeaf(field: Field): HeadLeaf {
  const [origin, pendingSize, pendingRoot, note, mirroredSize, mirroredRoot] = field.tuple(...items) as [
    Field,
    Field,
    Field,
    Field,
    Field,
    Field,
  ];
  const leaf = {
    origin: origin.origin(),
    pendingSize: pendingSize.uint(),
    pendingRoot: pendingRoot.rootHash(),
    pendingNoteHash: note.nullable((f) => f.hash()),
    mirroredSize: mirroredSize.uint(),
    mirroredRoot: mirroredRoot.rootHash(),
  };
  if ((leaf.pendingSize === 0) !== (leaf.pendingNoteHash === null)) {
    throw note.wrong("null exactly where the pending size is 0");
  }
  if (leaf.mirroredSize > leaf.pendingSize) throw mirroredSize.wrong(`at most the pending size ${leaf.pendingSize}`);
  return Object.freeze(leaf);
}
