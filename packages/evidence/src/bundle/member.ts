import { type CborValue, decodeCbor, encodeCbor } from "../cbor/index.ts";
import { asHash, type Hash } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { parseCheckpoint } from "../note/index.ts";

/**
 * A bundle's members, by number. Notes, envelopes and blobs are kept as the bytes that were signed or hashed; proofs
 * and slices of ledgers are deterministic CBOR arrays, field by field as in `docs/bundle.md`.
 */
export const memberTypes = {
  /** A cosigned checkpoint of the plane's log: the complete note. */
  planeCheckpoint: 1,
  /** A checkpoint of the fleet log: the complete note. */
  fleetCheckpoint: 2,
  /** [origin, m, n, [hash…]]: consistency of two checkpoints of one log. */
  consistency: 3,
  /** [from, [entry…]]: leaves of the fleet log, at most 256. */
  fleetEntries: 4,
  /** [index, entry, size, [hash…]]: one entry of the plane's log with its inclusion proof. */
  planeEntry: 5,
  /** [index of the heads entry, from, [leaf…]]: leaves of one heads tree, at most 256. */
  headsLeaves: 6,
  /** [index of the heads entry, position, leaf, [hash…]]: one leaf of a heads tree with its inclusion proof. */
  headsLeaf: 7,
  /** A checkpoint of a device: the complete note. */
  deviceCheckpoint: 8,
  /** [origin, from, [entry…]]: a slice of a device's ledger, at most 256 entries. */
  entries: 9,
  /** [origin, from, to, size, [left hash…], [right hash…]]: a slice's place in the tree of that size. */
  rangeProof: 10,
  /** [origin, index, entry, size, [hash…]]: one entry of a device's ledger with its inclusion proof. */
  deviceEntry: 11,
  /** A statement's DSSE envelope. */
  envelope: 12,
  /** Any other bytes that evidence names by digest: a verdict, a manifest. */
  blob: 13,
  /** [origin, note held, note refused, [hash…]]: two signed checkpoints that contradict each other, and the proof. */
  contradiction: 14,
  /** [origin, size, [[index, entry]…], [hash…]]: entries of one package of 256 of a ledger, with one proof for all. */
  sparseEntries: 15,
} as const;

export type MemberType = (typeof memberTypes)[keyof typeof memberTypes];

export interface Member {
  readonly type: MemberType;
  readonly bytes: Uint8Array;
}

/** Where a member stands in a bundle: members are sorted by type, origin, index, then by their bytes' digest. */
export interface MemberPlace {
  readonly origin: string;
  readonly index: number;
}

export interface Proven {
  readonly index: number;
  readonly bytes: Uint8Array;
  readonly size: number;
  readonly proof: readonly Hash[];
}

export interface Slice {
  readonly origin: string;
  readonly from: number;
  readonly items: readonly Uint8Array[];
}

/** Entries of one package of 256, not necessarily next to one another. */
export interface SparseEntriesMember {
  readonly origin: string;
  readonly size: number;
  /** Ascending. */
  readonly indices: readonly number[];
  readonly entries: readonly Uint8Array[];
  /** As `verifySparse` takes it. */
  readonly proof: readonly Hash[];
}

export interface ConsistencyMember {
  readonly origin: string;
  readonly smaller: number;
  readonly larger: number;
  readonly proof: readonly Hash[];
}

export interface RangeProofMember {
  readonly origin: string;
  readonly from: number;
  readonly to: number;
  readonly size: number;
  readonly left: readonly Hash[];
  readonly right: readonly Hash[];
}

export interface HeadsSlice {
  readonly heads: number;
  readonly from: number;
  readonly leaves: readonly Uint8Array[];
}

export interface HeadsLeafMember {
  readonly heads: number;
  readonly position: number;
  readonly leaf: Uint8Array;
  readonly proof: readonly Hash[];
}

export interface ContradictionMember {
  readonly origin: string;
  readonly held: Uint8Array;
  readonly refused: Uint8Array;
  /** As `checkEquivocation` takes it. */
  readonly proof: readonly Hash[];
}

/** Entries, or heads leaves, in one member: the size of a tile. */
export const sliceLength = 256;

export function consistencyMember(m: ConsistencyMember): Member {
  return cborMember(memberTypes.consistency, [m.origin, m.smaller, m.larger, m.proof]);
}
export function fleetEntriesMember(from: number, entries: readonly Uint8Array[]): Member {
  return cborMember(memberTypes.fleetEntries, [from, entries]);
}
export function planeEntryMember(p: Proven): Member {
  return cborMember(memberTypes.planeEntry, [p.index, p.bytes, p.size, p.proof]);
}
export function headsLeavesMember(s: HeadsSlice): Member {
  return cborMember(memberTypes.headsLeaves, [s.heads, s.from, s.leaves]);
}
export function headsLeafMember(m: HeadsLeafMember): Member {
  return cborMember(memberTypes.headsLeaf, [m.heads, m.position, m.leaf, m.proof]);
}
export function entriesMember(s: Slice): Member {
  return cborMember(memberTypes.entries, [s.origin, s.from, s.items]);
}
export function rangeProofMember(m: RangeProofMember): Member {
  return cborMember(memberTypes.rangeProof, [m.origin, m.from, m.to, m.size, m.left, m.right]);
}
export function deviceEntryMember(origin: string, p: Proven): Member {
  return cborMember(memberTypes.deviceEntry, [origin, p.index, p.bytes, p.size, p.proof]);
}
export function sparseEntriesMember({ origin, size, indices, entries, proof }: SparseEntriesMember): Member {
  const items = indices.map((index, i) => [index, entries[i]!]);
  return cborMember(memberTypes.sparseEntries, [origin, size, items, proof]);
}
export function contradictionMember(m: ContradictionMember): Member {
  return cborMember(memberTypes.contradiction, [m.origin, m.held, m.refused, m.proof]);
}

export function parseConsistency(bytes: Uint8Array): ConsistencyMember {
  const [origin, smaller, larger, proof] = fields(bytes, 4, "consistency");
  return { origin: text(origin), smaller: count(smaller), larger: count(larger), proof: hashes(proof) };
}
export function parseFleetEntries(bytes: Uint8Array): Slice {
  const [from, items] = fields(bytes, 2, "fleet entries");
  return { origin: "", from: count(from), items: slice(items) };
}
export function parsePlaneEntry(bytes: Uint8Array): Proven {
  const [index, entry, size, proof] = fields(bytes, 4, "plane entry");
  return { index: count(index), bytes: raw(entry), size: count(size), proof: hashes(proof) };
}
export function parseHeadsLeaves(bytes: Uint8Array): HeadsSlice {
  const [heads, from, leaves] = fields(bytes, 3, "heads leaves");
  return { heads: count(heads), from: count(from), leaves: slice(leaves) };
}
export function parseHeadsLeaf(bytes: Uint8Array): HeadsLeafMember {
  const [heads, position, leaf, proof] = fields(bytes, 4, "heads leaf");
  return { heads: count(heads), position: count(position), leaf: raw(leaf), proof: hashes(proof) };
}
export function parseEntries(bytes: Uint8Array): Slice {
  const [origin, from, items] = fields(bytes, 3, "entries");
  return { origin: text(origin), from: count(from), items: slice(items) };
}
export function parseRangeProof(bytes: Uint8Array): RangeProofMember {
  const [origin, from, to, size, left, right] = fields(bytes, 6, "range proof");
  return {
    origin: text(origin),
    from: count(from),
    to: count(to),
    size: count(size),
    left: hashes(left),
    right: hashes(right),
  };
}
export function parseDeviceEntry(bytes: Uint8Array): Proven & { readonly origin: string } {
  const [origin, index, entry, size, proof] = fields(bytes, 5, "device entry");
  return { origin: text(origin), index: count(index), bytes: raw(entry), size: count(size), proof: hashes(proof) };
}
export function parseContradiction(bytes: Uint8Array): ContradictionMember {
  const [origin, held, refused, proof] = fields(bytes, 4, "contradiction");
  return { origin: text(origin), held: raw(held), refused: raw(refused), proof: hashes(proof) };
}

export function parseSparseEntries(bytes: Uint8Array): SparseEntriesMember {
  const [origin, size, items, proof] = fields(bytes, 4, "sparse entries");
  const pairs = pairsOf(items);
  const indices = pairs.map(([index]) => count(index));
  const packages = new Set(indices.map((index) => Math.floor(index / sliceLength)));
  if (packages.size !== 1) throw invalid("sparse entries are not of one package");
  const entries = pairs.map(([, entry]) => raw(entry));
  return { origin: text(origin), size: count(size), indices, entries, proof: hashes(proof) };
}

/** The sort key of a member, read from its bytes. @throws EvidenceError if the bytes are not of the member's type. */
export function placeOf(member: Member): MemberPlace {
  switch (member.type) {
    case memberTypes.planeCheckpoint:
    case memberTypes.fleetCheckpoint:
    case memberTypes.deviceCheckpoint: {
      const { checkpoint } = parseCheckpoint(member.bytes);
      return { origin: checkpoint.origin, index: checkpoint.size };
    }
    case memberTypes.consistency: {
      const { origin, smaller } = parseConsistency(member.bytes);
      return { origin, index: smaller };
    }
    case memberTypes.fleetEntries:
      return { origin: "", index: parseFleetEntries(member.bytes).from };
    case memberTypes.planeEntry:
      return { origin: "", index: parsePlaneEntry(member.bytes).index };
    case memberTypes.headsLeaves: {
      const { heads, from } = parseHeadsLeaves(member.bytes);
      return { origin: String(heads).padStart(16, "0"), index: from };
    }
    case memberTypes.headsLeaf: {
      const { heads, position } = parseHeadsLeaf(member.bytes);
      return { origin: String(heads).padStart(16, "0"), index: position };
    }
    case memberTypes.entries: {
      const { origin, from } = parseEntries(member.bytes);
      return { origin, index: from };
    }
    case memberTypes.rangeProof: {
      const { origin, from } = parseRangeProof(member.bytes);
      return { origin, index: from };
    }
    case memberTypes.deviceEntry: {
      const { origin, index } = parseDeviceEntry(member.bytes);
      return { origin, index };
    }
    case memberTypes.sparseEntries: {
      const { origin, indices } = parseSparseEntries(member.bytes);
      return { origin, index: indices[0]! };
    }
    case memberTypes.contradiction:
      return { origin: parseContradiction(member.bytes).origin, index: 0 };
    case memberTypes.envelope:
    case memberTypes.blob:
      return { origin: "", index: 0 };
  }
}

/** The name a person reads for a member's type. */
export function memberTypeName(type: number): string {
  return Object.entries(memberTypes).find(([, number]) => number === type)?.[0] ?? `type ${type}`;
}

function cborMember(type: MemberType, value: CborValue): Member {
  return { type, bytes: encodeCbor(value) };
}

function fields(bytes: Uint8Array, length: number, what: string): (CborValue | undefined)[] {
  const value = decodeCbor(bytes);
  if (!Array.isArray(value) || value.length !== length) throw invalid(`${what} member is not a list of ${length}`);
  return value as CborValue[];
}
function text(value: CborValue | undefined): string {
  if (typeof value !== "string") throw invalid("a name is not text");
  return value;
}
function count(value: CborValue | undefined): number {
  if (typeof value !== "number" || value < 0) throw invalid("a number is not a count");
  return value;
}
function raw(value: CborValue | undefined): Uint8Array {
  if (!(value instanceof Uint8Array)) throw invalid("a field is not bytes");
  return value;
}
function hashes(value: CborValue | undefined): Hash[] {
  if (!Array.isArray(value)) throw invalid("a proof is not a list");
  return value.map((hash: CborValue) => asHash(raw(hash)));
}
function pairsOf(value: CborValue | undefined): [CborValue | undefined, CborValue | undefined][] {
  if (!Array.isArray(value)) throw invalid("sparse entries are not a list");
  return value.map((pair: CborValue) => {
    if (!Array.isArray(pair) || pair.length !== 2) throw invalid("a sparse entry is not an index with its entry");
    return [pair[0], pair[1]];
  });
}
function slice(value: CborValue | undefined): Uint8Array[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > sliceLength) {
    throw invalid(`a slice does not hold 1 to ${sliceLength} items`);
  }
  return value.map(raw);
}
function invalid(what: string): EvidenceError {
  return new EvidenceError("bundle-invalid", `the bundle is not well formed: ${what}`);
}
