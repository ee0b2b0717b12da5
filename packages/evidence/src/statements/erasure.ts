import { fromHex, toHex } from "../bytes.ts";
import type { JsonField } from "../content/json-field.ts";
import { given } from "../content/json-field.ts";
import { asLeafHash, type Digest, type LeafHash } from "../digest.ts";
import { makeStatement, predicateOf, type Statement } from "./statement.ts";

export const erasureType = "urn:tally:erasure:v1";

/** Records that one statement names at most: its envelope stays below what planes take. */
export const maxErasedRecords = 4_000;

/**
 * A device says that it destroyed the keys of records: nothing that they commit to can be opened by what the device has.
 * Subjects: the records, named `<origin>#<index>`, by their leaf hashes. Nobody's name is in it, nor why.
 */
export interface Erasure {
  /** The ledger of the records. */
  readonly origin: string;
  readonly records: readonly ErasedRecord[];
  /** Where the keys lay. `file`: overwritten in place, which flash, copies and backups may not follow. */
  readonly keystore: "file";
  /** Segments that held contents of these records in the clear. */
  readonly segments: readonly ErasedSegment[];
}

export interface ErasedRecord {
  readonly index: number;
  readonly leaf: LeafHash;
}

/** A segment whose contents are gone from the registry; its manifest and its proof stay. */
export interface ErasedSegment {
  readonly manifest: Digest;
  /** The layers that were deleted. */
  readonly layers: readonly Digest[];
  /** The segment that holds the rows that stay; left out where there are none. */
  readonly replacement?: Digest;
}

export function erasureStatement({ origin, records, keystore, segments }: Erasure): Statement {
  const subjects = records.map(({ index, leaf }) => ({
    name: `${origin}#${index}`,
    digest: `sha256:${toHex(leaf)}` as Digest,
  }));
  return makeStatement(subjects, erasureType, {
    origin,
    keystore,
    records: records.map(({ index }) => index),
    segments: segments.map(({ manifest, layers, replacement }) => ({
      manifest,
      layers,
      ...given("replacement", replacement),
    })),
  });
}

/** @throws EvidenceError `statement-invalid` naming the field */
export function parseErasure(statement: Statement): Erasure {
  const predicate = predicateOf(statement, erasureType);
  const field = predicate.at("records");
  const indices = field.nonEmptyList((item) => item.uint());
  if (indices.some((index, i) => index <= (indices[i - 1] ?? -1))) throw field.wrong("indices in order, each once");
  const { subject } = statement;
  if (indices.length !== subject.length) throw field.wrong(`an index for each of the ${subject.length} subjects`);
  return Object.freeze({
    origin: predicate.at("origin").text(255),
    keystore: predicate.at("keystore").oneOf("file"),
    records: indices.map((index, i) => ({ index, leaf: asLeafHash(fromHex(subject[i]!.digest.sha256)) })),
    segments: predicate.at("segments").list(readSegment),
  });
}

function readSegment(field: JsonField): ErasedSegment {
  return Object.freeze({
    manifest: field.at("manifest").digest(),
    layers: field.at("layers").nonEmptyList((item) => item.digest()),
    ...field.maybe("replacement", (f) => f.digest()),
  });
}
