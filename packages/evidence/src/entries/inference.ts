import type { CborValue } from "../cbor/index.ts";
import type { Digest } from "../digest.ts";
import type { EntryBase, EntryKind } from "./entry-kind.ts";
import type { Field } from "./fields.ts";
import {
  present,
  type RecordReference,
  readCommitment,
  readRecordReference,
  type SaltedCommitment,
  writeCommitment,
  writeListOrBlob,
  writeRecordReference,
} from "./shapes.ts";

/** The most parents and the most retrievals that stand in the entry itself. */
export const maxInlineReferences = 64;

/** Codes of `parameters`. Values are integers, decimals [exponent, mantissa], or commitments where they could identify. */
export const parameterCodes = { seed: 0, temperature: 1, "top-p": 2, "top-k": 3, "max-tokens": 4 } as const;

/** Codes of `usage`, all of them counts. */
export const usageCodes = { "input-tokens": 0, "output-tokens": 1, "cached-tokens": 2, rows: 3 } as const;

/** Capture levels: how much of input and output the device keeps for segments. */
export const captureLevels = { none: 0, full: 1 } as const;

/** An output was produced: the record. Millions of these, so none is signed alone. */
export interface Inference extends EntryBase<"inference"> {
  /** Index of the load entry. */
  readonly loadIndex: number;
  /** From 0, under that load. */
  readonly ordinal: number;
  readonly input: SaltedCommitment;
  readonly output: SaltedCommitment;
  readonly parameters?: ReadonlyMap<number, CborValue>;
  readonly durationMicros: number;
  /** One of `captureLevels`; a commitment where capture depends on what the output was, which the level would leak. */
  readonly captureLevel: number | SaltedCommitment;
  /** Records whose outputs went into this one. */
  readonly parents?: readonly RecordReference[];
  /** Deterministic CBOR of the list, where there are more than 64. */
  readonly parentsBlob?: Digest;
  /** Commitments to what was retrieved for this output, in order of use. */
  readonly retrievals?: readonly SaltedCommitment[];
  /** Deterministic CBOR of the list, where there are more than 64. */
  readonly retrievalsBlob?: Digest;
  readonly usage?: ReadonlyMap<number, CborValue>;
}

export const inference: EntryKind<Inference> = {
  name: "inference",
  code: 5,
  write: (e) => [
    [2, e.loadIndex],
    [3, e.ordinal],
    [4, writeCommitment(e.input)],
    [5, writeCommitment(e.output)],
    [6, e.parameters],
    [7, e.durationMicros],
    [8, typeof e.captureLevel === "number" ? e.captureLevel : writeCommitment(e.captureLevel)],
    [9, writeListOrBlob(e.parents?.map(writeRecordReference), e.parentsBlob)],
    [10, writeListOrBlob(e.retrievals?.map(writeCommitment), e.retrievalsBlob)],
    [11, e.usage],
  ],
  read: (field) => ({
    loadIndex: field(2, "load index").uint(),
    ordinal: field(3, "ordinal").uint(),
    input: readCommitment(field(4, "input")),
    output: readCommitment(field(5, "output")),
    ...present(
      "parameters",
      field(6, "parameters").optional((f) => f.codes()),
    ),
    durationMicros: field(7, "duration").uint(),
    captureLevel: readCaptureLevel(field(8, "capture level")),
    ...readParents(field(9, "parents")),
    ...readRetrievals(field(10, "retrievals")),
    ...present(
      "usage",
      field(11, "usage").optional((f) => f.codes()),
    ),
  }),
};

function readCaptureLevel(field: Field): number | SaltedCommitment {
  return field.isUint() ? field.uint() : readCommitment(field);
}

function readParents(field: Field): Pick<Inference, "parents" | "parentsBlob"> {
  if (field.isBytes()) return { parentsBlob: field.digest() };
  return present(
    "parents",
    field.optional((f) => f.list(readRecordReference, maxInlineReferences)),
  );
}

function readRetrievals(field: Field): Pick<Inference, "retrievals" | "retrievalsBlob"> {
  if (field.isBytes()) return { retrievalsBlob: field.digest() };
  return present(
    "retrievals",
    field.optional((f) => f.list(readCommitment, maxInlineReferences)),
  );
}
