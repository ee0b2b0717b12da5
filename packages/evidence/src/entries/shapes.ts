import { fromHex } from "../bytes.ts";
import type { CborValue } from "../cbor/index.ts";
import { type Digest, type Hash, hashFromDigest, type LeafHash, type RootHash } from "../digest.ts";
import type { KeySet, KeyType } from "../note/index.ts";
import type { Field } from "./fields.ts";

/** The most loads that one run may hold; at that many the recorder begins a new run. */
export const maxLoadsOfRun = 2048;

/** The most items of a list that stands in an entry itself; a longer one is a stored blob, named by its digest. */
export const maxInlineItems = 512;

/** A salted hash of content, and the slot of the device's keystore that holds its salt. */
export interface SaltedCommitment {
  readonly commitment: Hash;
  readonly slot: number;
}

/** A checkpoint as an entry names it: size, root, and the SHA-256 of the complete cosigned note. */
export interface CheckpointReference {
  readonly size: number;
  readonly root: RootHash;
  readonly noteHash: Hash;
}

/** One entry of any ledger, so that it cannot be taken for another. */
export interface RecordReference {
  readonly origin: string;
  readonly index: number;
  readonly leaf: LeafHash;
}

/** How many records a load of the run has had, and where it was unloaded (null: not yet). */
export interface LoadCount {
  readonly loadIndex: number;
  readonly count: number;
  readonly unloadIndex: number | null;
}

export const writeCommitment = (c: SaltedCommitment): CborValue => [c.commitment, c.slot];

export function readCommitment(field: Field): SaltedCommitment {
  const [commitment, slot] = field.tuple("commitment", "slot") as [Field, Field];
  return Object.freeze({ commitment: commitment.hash(), slot: slot.uint() });
}

export const writeCheckpoint = (c: CheckpointReference): CborValue => [c.size, c.root, c.noteHash];

export function readCheckpoint(field: Field): CheckpointReference {
  const [size, root, note] = field.tuple("size", "root", "note hash") as [Field, Field, Field];
  return Object.freeze({ size: size.uint(), root: root.rootHash(), noteHash: note.hash() });
}

export const writeRecordReference = (r: RecordReference): CborValue => [r.origin, r.index, r.leaf];

export function readRecordReference(field: Field): RecordReference {
  const [origin, index, leaf] = field.tuple("origin", "index", "leaf hash") as [Field, Field, Field];
  return Object.freeze({ origin: origin.origin(), index: index.uint(), leaf: leaf.leafHash() });
}

export const writeLoadCounts = (counts: readonly LoadCount[]): CborValue =>
  counts.map((c) => [c.loadIndex, c.count, c.unloadIndex]);

export function readLoadCounts(field: Field): readonly LoadCount[] {
  return field.list((item) => {
    const [load, count, unload] = item.tuple("load index", "count", "unload index") as [Field, Field, Field];
    return Object.freeze({
      loadIndex: load.uint(),
      count: count.uint(),
      unloadIndex: unload.nullable((f) => f.uint()),
    });
  }, maxLoadsOfRun);
}

export const writeKeySet = (keys: KeySet): CborValue => keys.map((key) => [key.type, key.publicKey]);

/** Bytes of a public key, least and most, by C2SP signature type. Type 2 is SPKI DER, whose length the curve decides. */
const publicKeySizes: Readonly<Record<number, readonly [min: number, max: number] | undefined>> = {
  1: [32, 32],
  2: [32, 2048],
  4: [32, 32],
  6: [1312, 1312],
};

export function readKeySet(field: Field): KeySet {
  const keys = field.list((item) => {
    const [type, publicKey] = item.tuple("type", "public key") as [Field, Field];
    const size = publicKeySizes[type.uint()];
    if (size === undefined) throw type.wrong("a signature type: 1, 2, 4 or 6");
    return Object.freeze({ type: type.uint() as KeyType, publicKey: publicKey.bytes(...size) });
  }, 16);
  if (keys.length === 0) throw field.wrong("at least one key");
  return keys;
}

/** A list, or the digest of the stored blob that holds its deterministic CBOR when it is too long for an entry. */
export function writeListOrBlob(
  list: readonly CborValue[] | undefined,
  blob: Digest | undefined,
): CborValue | undefined {
  return blob === undefined ? list : hashFromDigest(blob);
}

export const writeDigest = (digest: Digest | null): CborValue => (digest === null ? null : hashFromDigest(digest));

export const readDigestOrNull = (field: Field): Digest | null => field.nullable((f) => f.digest());

/** Key ids are 4 bytes (a note's key) to 32 bytes (SHA-256 of a statement signer's SPKI DER), lower-case hex here. */
export const writeKeyId = (keyId: string): CborValue => fromHex(keyId);

export const readKeyId = (field: Field): string => field.hex(4, 32);

/** Leaves a property out where there is nothing to hold. */
export function present<Key extends string, Value>(key: Key, value: Value | undefined): { [K in Key]?: Value } {
  return (value === undefined ? {} : { [key]: value }) as { [K in Key]?: Value };
}
