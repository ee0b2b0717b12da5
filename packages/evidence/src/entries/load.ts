import { type Digest, hashFromDigest } from "../digest.ts";
import type { EntryBase, EntryKind } from "./entry-kind.ts";
import type { Field } from "./fields.ts";
import { maxInlineItems, present, readDigestOrNull, writeDigest, writeListOrBlob } from "./shapes.ts";

/** How the binding of outputs to a model is known, strongest first. */
export const evidenceGrades = ["attested", "measured", "declared", "asserted", "named"] as const;
export type EvidenceGrade = (typeof evidenceGrades)[number];

export const loadOutcomes = ["accepted", "refused"] as const;
export type LoadOutcome = (typeof loadOutcomes)[number];

/** Reason codes of a load. Codes not listed here are kept as they are. */
export const loadReasons = {
  none: 0,
  "signature-missing": 1,
  "signature-invalid": 2,
  "file-mismatch": 3,
  "not-approved": 4,
  "not-released": 5,
  "rolled-back": 6,
  "evidence-too-old": 7,
  "signer-not-trusted": 8,
  rejected: 9,
  unreadable: 10,
  "signer-revoked": 11,
  quarantined: 12,
} as const;

/** A model was measured and accepted, or refused. Records name their load by its index in the ledger. */
export interface Load extends EntryBase<"load"> {
  /** The model's manifest; null when only a name or a file is known. */
  readonly manifest: Digest | null;
  /** What was measured, external data files included; empty when `filesBlob` names the stored list. */
  readonly files: readonly MeasuredFile[];
  /** Deterministic CBOR of [[digest, size], …], for models of more than 512 files. */
  readonly filesBlob?: Digest;
  /** The inference runtime, such as `onnxruntime 1.29.0`. */
  readonly runtime: string;
  /** What executes within it, such as `cpu`. */
  readonly provider: string;
  readonly grade: EvidenceGrade;
  /** SHA-256 of the verdict that allowed it, in RFC 8785 form. */
  readonly permit: Digest | null;
  readonly outcome: LoadOutcome;
  /** One of `loadReasons`. */
  readonly reason: number;
  /** The envelope of the release statement that the model came with. */
  readonly release?: Digest;
}

export interface MeasuredFile {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

export const load: EntryKind<Load> = {
  name: "load",
  code: 3,
  write: (e) => [
    [2, writeDigest(e.manifest)],
    [
      3,
      writeListOrBlob(
        e.files.map((f) => [hashFromDigest(f.digest), f.size]),
        e.filesBlob,
      ),
    ],
    [4, e.runtime],
    [5, e.provider],
    [6, evidenceGrades.indexOf(e.grade)],
    [7, writeDigest(e.permit)],
    [8, loadOutcomes.indexOf(e.outcome)],
    [9, e.reason],
    [10, e.release && hashFromDigest(e.release)],
  ],
  read: (field) => ({
    manifest: readDigestOrNull(field(2, "manifest")),
    ...readFiles(field(3, "files")),
    runtime: field(4, "runtime").text(),
    provider: field(5, "provider").text(),
    grade: field(6, "grade").oneOf(evidenceGrades),
    permit: readDigestOrNull(field(7, "permit")),
    outcome: field(8, "outcome").oneOf(loadOutcomes),
    reason: field(9, "reason").uint(),
    ...present(
      "release",
      field(10, "release").optional((f) => f.digest()),
    ),
  }),
};

function readFiles(field: Field): { files: readonly MeasuredFile[]; filesBlob?: Digest } {
  if (field.isBytes()) return { files: Object.freeze([]), filesBlob: field.digest() };
  const files = field.list((item) => {
    const [digest, size] = item.tuple("digest", "size") as [Field, Field];
    return Object.freeze({ digest: digest.digest(), size: size.uint() });
  }, maxInlineItems);
  return { files };
}
