import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  asLeafHash,
  captureLevels,
  type Digest,
  decodeEntry,
  type Entry,
  EvidenceError,
  equalBytes,
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
import { EdgeError } from "../error.ts";
import { buildRows, type PlacedEntry } from "./build-rows.ts";
import { decodePayloads, type OpenedPayload } from "./payload-sequence.ts";
import type { LateLabel, SegmentRow } from "./row.ts";
import { decodeProof, type SegmentProof } from "./segment-proof.ts";
import { renderTables } from "./tables.ts";

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

/**
 * Opens an unpacked segment and checks all of it: the device's signatures on the checkpoint, the range under its root, each
 * payload against its commitment, the loads that records name, and the tables against the payloads.
 *
 * The signatures are checked by `keysAt`, and where that knows none by the key set of the genesis entry that the segment
 * carries; that this genesis is an enrolled device's is for the fleet log to prove.
 *
 * @param folder as `unpackModelKit` leaves it
 * @param keysAt needed for a ledger whose keys were rotated before the segment was signed
 * @throws EdgeError `segment-invalid` naming the file and what is wrong with it.
 */
export async function openSegment(folder: string, keysAt?: KeysAt): Promise<OpenedSegment> {
  return (await loadSegment(folder, keysAt)).segment;
}

/** A segment with what its rows are made of, for who needs a record's own bytes. */
export interface LoadedSegment {
  readonly segment: OpenedSegment;
  /** Entries of the range, and those beside it, by index. */
  readonly entries: ReadonlyMap<number, Entry>;
  readonly payloads: readonly OpenedPayload[];
}

/** As `openSegment`. */
export async function loadSegment(folder: string, keysAt?: KeysAt): Promise<LoadedSegment> {
  const proof = decodeProof(await readPart(folder, "proof/proof.cbor"));
  const known = checkProof(proof, keysAt);
  const payloads = decodePayloads(await readPart(folder, "data/payloads.cborseq"));
  const { origin, from, to } = proof;
  const records = placed<Inference>(proof, "inference");
  const { rows, late, used } = buildRows(origin, records, placed<Label>(proof, "label"), payloads);
  if (used.length !== payloads.length) {
    throw invalid(`${payloads.length - used.length} items of payloads.cborseq open no commitment of the range`);
  }
  for (const [name, text] of Object.entries(renderTables(rows, late))) {
    if (equalBytes(await readPart(folder, `data/${name}`), utf8(text))) continue;
    throw invalid(`${name} is not what its payloads render to`);
  }
  const segment = Object.freeze({
    origin,
    from,
    to,
    model: modelOf(rows, known),
    rows,
    late,
    absent: absentFrom(rows, records, known),
    genesisHash: genesisHashOf(proof),
  });
  return { segment, entries: known, payloads };
}

type KnownEntries = ReadonlyMap<number, Entry>;

/** Checks the range and the entries beside it, and returns all entries by index. */
function checkProof(proof: SegmentProof, keysAt: KeysAt | undefined): KnownEntries {
  const { origin, from, to, checkpoint: note, entries, left, right, others } = proof;
  if (entries.length !== to - from) throw invalid(`proof.cbor holds ${entries.length} entries of [${from}, ${to})`);
  try {
    const { checkpoint } = parseCheckpoint(utf8(note));
    const { size, root } = checkpoint;
    verifyRange(from, to, size, entries.map(hashLeaf), { left: [...left], right: [...right] }, root);
    const known = new Map(entries.map((bytes, i): [number, Entry] => [from + i, decodeEntry(bytes)]));
    for (const { index, entry, proof: path } of others) {
      verifyInclusion(index, size, hashLeaf(entry), [...path], root);
      known.set(index, decodeEntry(entry));
    }
    const own = keySetIn(known);
    verifyAllOf(parseNote(note), origin, keysAt?.(origin, size) ?? own);
    return known;
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    throw invalid(`the proof does not hold: ${cause.message}`, cause);
  }
}

function genesisHashOf({ from, entries, others }: SegmentProof): LeafHash {
  const genesis = from === 0 ? entries[0] : others.find(({ index }) => index === 0)?.entry;
  if (genesis === undefined) throw invalid("proof.cbor does not hold the ledger's genesis entry");
  return hashLeaf(genesis);
}

function keySetIn(known: KnownEntries): KeySet {
  const genesis = known.get(0);
  if (genesis?.kind !== "genesis") throw invalid("proof.cbor does not hold the ledger's genesis entry");
  return genesis.keySet;
}

function placed<E extends Entry>({ entries, from }: SegmentProof, kind: E["kind"]): PlacedEntry<E>[] {
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
      throw invalid(`proof.cbor does not hold entry ${index}, the load of a row`);
    }),
  );
  if (models.size > 1) throw invalid(`its rows are of ${models.size} models`);
  return [...models][0] ?? null;
}

/** A file of an unpacked segment. @throws EdgeError `segment-invalid` */
export async function readPart(folder: string, name: string): Promise<Uint8Array> {
  return new Uint8Array(
    await readFile(join(folder, name)).catch((cause: unknown) => {
      throw invalid(`${name} cannot be read`, cause);
    }),
  );
}

function invalid(why: string, cause?: unknown): EdgeError {
  return new EdgeError("segment-invalid", `the segment is not accepted: ${why}`, {
    cause,
    hint: "pull it again; if it stays so, ask the operator of the device",
  });
}
