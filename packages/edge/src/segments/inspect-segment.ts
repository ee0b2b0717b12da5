import {
  asLeafHash,
  captureLevels,
  type Digest,
  decodeEntry,
  type Entry,
  EvidenceError,
  hashLeaf,
  type Inference,
  type KeySet,
  type Label,
  type LeafHash,
  parseCheckpoint,
  parseNote,
  utf8,
  verifyAllOf,
  verifyInclusion,
  verifyRange,
} from "@tally/evidence";
import { type BuiltRows, buildRows, type PlacedEntry } from "./build-rows.ts";
import type { OpenedPayload } from "./payload-sequence.ts";
import type { LateLabel, SegmentRow } from "./row.ts";
import { keysFile, readContents, type Sealing, sealedFile } from "./segment-contents.ts";
import { readPart, segmentInvalid } from "./segment-part.ts";
import { decodeProof, type SegmentProof } from "./segment-proof.ts";
import { type SegmentFault, strangeFiles, tableFaults } from "./table-faults.ts";

/** A segment whose rows were checked against the ledger they come from. */
export interface OpenedSegment {
  readonly origin: string;
  /** Entries [from, to) of that ledger. */
  readonly from: number;
  readonly to: number;
  /** The manifest that every row's load names; null where there are late labels only. */
  readonly model: Digest | null;
  readonly rows: readonly SegmentRow[];
  readonly late: readonly LateLabel[];
  /**
   * Records that say they were captured and have no row here: erased, or lost. Which of them were erased is for the
   * device's statements to say; the segment does not.
   */
  readonly absent: readonly AbsentRecord[];
  /** Leaf hash of the ledger's first entry: what an enrolment in the fleet log commits to. */
  readonly genesisHash: LeafHash;
}

/** A captured record of the segment's range that has no row. */
export interface AbsentRecord {
  readonly index: number;
  /** Leaf hash. */
  readonly leaf: LeafHash;
  /** The manifest that its load names; null where that load is not in the segment. */
  readonly model: Digest | null;
}

/** The keys that have to sign a ledger's checkpoint of that size, as the fleet log has them; undefined where it knows none. */
export type KeysAt = (origin: string, size: number) => KeySet | undefined;

/** A segment with what its rows are made of, for who needs a record's own bytes. */
export interface LoadedSegment {
  readonly segment: OpenedSegment;
  /** Entries of the range, and those beside it, by index. */
  readonly entries: ReadonlyMap<number, Entry>;
  readonly payloads: readonly OpenedPayload[];
  /** Undefined where the contents are in the clear. Contents that stay closed give no rows. */
  readonly sealing: Sealing | undefined;
}

/** A segment with all that is wrong with it. */
export interface InspectedSegment extends LoadedSegment {
  /** The device's checkpoint that the range is under. */
  readonly checkpoint: { readonly size: number };
  /** Why its signatures do not hold; undefined where they do. */
  readonly signature: EvidenceError | undefined;
  /** Items and rows that are not what the device recorded, and files that are no segment's. */
  readonly faults: readonly SegmentFault[];
}

const tables = ["payloads.cborseq", "records.jsonl", "records.csv", "records.parquet", "labels.jsonl"];
const proofFile = "proof/proof.cbor";
const clearNames: ReadonlySet<string> = new Set([...tables.map((name) => `data/${name}`), proofFile]);
const sealedNames: ReadonlySet<string> = new Set([sealedFile, keysFile, proofFile]);

/**
 * Checks all of an unpacked segment and goes on where something is wrong, so that every row that was changed is named.
 *
 * @param folder as `unpackModelKit` or `kit unpack` leaves it
 * @param identities age identities that may open encrypted contents
 * @throws EdgeError `segment-invalid` where the proof does not hold, so that nothing else can be told
 */
export async function inspectSegment(
  folder: string,
  keysAt?: KeysAt,
  identities?: readonly string[],
): Promise<InspectedSegment> {
  const proof = decodeProof(await readPart(folder, "proof/proof.cbor"));
  const { known: entries, size } = checkProof(proof);
  const { origin, from, to } = proof;
  const { payloads, sealing } = await readContents(folder, { origin, from, to }, identities);
  const records = placed<Inference>(proof, "inference");
  const labels = placed<Label>(proof, "label");
  const { rows, late, used } = buildRows(origin, records, labels, payloads);
  const segment = Object.freeze({
    origin,
    from,
    to,
    model: modelOf(rows, entries),
    rows,
    late,
    absent: absentFrom(rows, records, entries),
    genesisHash: genesisHashOf(proof),
  });
  const asBits = () => buildRows(origin, records, labels, payloads, "bits");
  const faults = [
    ...payloadFaults(payloads, used, sealing !== undefined),
    ...(sealing === undefined ? await faultsOfTables(folder, { rows, late }, asBits) : []),
    ...(await strangeFiles(folder, sealing === undefined ? clearNames : sealedNames)),
  ];
  const signature = signatureFault(proof, keysAt?.(origin, size) ?? keySetIn(entries));
  return { segment, entries, payloads, sealing, checkpoint: { size }, signature, faults };
}

/** Tables are as they are rendered now, or all as they were when 16-bit floating point was shown as bits. */
async function faultsOfTables(
  folder: string,
  { rows, late }: Pick<BuiltRows, "rows" | "late">,
  asBits: () => BuiltRows,
): Promise<readonly SegmentFault[]> {
  const faults = await tableFaults(folder, rows, late);
  if (faults.length === 0) return faults;
  const before = asBits();
  const earlier = await tableFaults(folder, before.rows, before.late, "bits");
  return earlier.length < faults.length ? earlier : faults;
}

function payloadFaults(
  payloads: readonly OpenedPayload[],
  used: readonly OpenedPayload[],
  isSealed: boolean,
): readonly SegmentFault[] {
  const shown = new Set(used);
  return payloads.flatMap((payload, i) => {
    if (shown.has(payload)) return [];
    const { index, role } = payload;
    const why = `item ${i + 1}, the ${role} of entry ${index}, opens no commitment of the range, or has no counterpart`;
    return [{ file: isSealed ? sealedFile : "data/payloads.cborseq", index, why }];
  });
}

type KnownEntries = ReadonlyMap<number, Entry>;

/** Checks the range and the entries beside it, and returns all entries by index. */
function checkProof(proof: SegmentProof): { readonly known: KnownEntries; readonly size: number } {
  const { from, to, checkpoint: note, entries, left, right, others } = proof;
  if (entries.length !== to - from)
    throw segmentInvalid(`proof.cbor holds ${entries.length} entries of [${from}, ${to})`);
  try {
    const { checkpoint } = parseCheckpoint(utf8(note));
    const { size, root } = checkpoint;
    verifyRange(from, to, size, entries.map(hashLeaf), { left: [...left], right: [...right] }, root);
    const known = new Map(entries.map((bytes, i): [number, Entry] => [from + i, decodeEntry(bytes)]));
    for (const { index, entry, proof: path } of others) {
      verifyInclusion(index, size, hashLeaf(entry), [...path], root);
      known.set(index, decodeEntry(entry));
    }
    return { known, size };
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    throw segmentInvalid(`the proof does not hold: ${cause.message}`, cause);
  }
}

function signatureFault({ origin, checkpoint }: SegmentProof, keySet: KeySet): EvidenceError | undefined {
  try {
    verifyAllOf(parseNote(checkpoint), origin, keySet);
    return undefined;
  } catch (error) {
    if (error instanceof EvidenceError) return error;
    throw error;
  }
}

function genesisHashOf({ from, entries, others }: SegmentProof): LeafHash {
  const genesis = from === 0 ? entries[0] : others.find(({ index }) => index === 0)?.entry;
  if (genesis === undefined) throw segmentInvalid("proof.cbor does not hold the ledger's genesis entry");
  return hashLeaf(genesis);
}

function keySetIn(known: KnownEntries): KeySet {
  const genesis = known.get(0);
  if (genesis?.kind !== "genesis") throw segmentInvalid("proof.cbor does not hold the ledger's genesis entry");
  return genesis.keySet;
}

export function placed<E extends Entry>({ entries, from }: SegmentProof, kind: E["kind"]): PlacedEntry<E>[] {
  return entries.flatMap((bytes, i) => {
    const entry = decodeEntry(bytes);
    return entry.kind === kind ? [{ index: from + i, leaf: hashLeaf(bytes), entry: entry as E }] : [];
  });
}

function absentFrom(
  rows: readonly SegmentRow[],
  records: readonly PlacedEntry<Inference>[],
  known: KnownEntries,
): readonly AbsentRecord[] {
  const shown = new Set(rows.map(({ index }) => index));
  return records.flatMap(({ index, leaf, entry }) => {
    if (entry.captureLevel !== captureLevels.full || shown.has(index)) return [];
    const load = known.get(entry.loadIndex);
    return [{ index, leaf: asLeafHash(leaf), model: load?.kind === "load" ? load.manifest : null }];
  });
}

/** The one model of the rows, by loads that were accepted. */
function modelOf(rows: readonly SegmentRow[], known: KnownEntries): Digest | null {
  const models = new Set(
    rows.map(({ load: index }) => {
      const load = known.get(index);
      if (load?.kind === "load" && load.outcome === "accepted") return load.manifest;
      throw segmentInvalid(`proof.cbor does not hold entry ${index}, the load of a row`);
    }),
  );
  if (models.size > 1) throw segmentInvalid(`its rows are of ${models.size} models`);
  return [...models][0] ?? null;
}
