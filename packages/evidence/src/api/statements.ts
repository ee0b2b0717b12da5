import type { Digest } from "../digest.ts";
import type { QuarantineItem } from "./quarantines.ts";

/** Content type of envelopes in requests and answers. */
export const envelopeMediaType = "application/vnd.dsse+json";
/** Content type of evidence bundles. */
export const bundleMediaType = "application/vnd.tally.bundle";

/** `POST /api/v1/statements`: the body is the envelope. */
export interface StatementResponse {
  readonly digest: Digest;
  /** Index in the plane's log. */
  readonly index: number;
}

/** `GET /api/v1/statements?subject=&type=`. */
export interface StatementList {
  readonly statements: readonly StatementItem[];
}
export interface StatementItem extends StatementResponse {
  readonly predicateType: string;
  readonly subjects: readonly Digest[];
  /** Names of the identities that signed it. */
  readonly signedBy: readonly string[];
}

/** `GET /api/v1/statements/<digest>/proof`: that the envelope is in the plane's log. Base64 is standard and padded. */
export interface StatementProof {
  /** Index in the plane's log. */
  readonly index: number;
  /** Size of the checkpoint's tree. */
  readonly size: number;
  /** The log's entry, base64. */
  readonly entry: string;
  /** The entry's leaf hash, base64. */
  readonly leaf: string;
  /** Inclusion proof from the leaf's sibling upward, base64 each. */
  readonly proof: readonly string[];
  /** The complete cosigned note. */
  readonly checkpoint: string;
  /** With `when=logged`: the last checkpoint that does not cover it, and that `checkpoint` continues it. */
  readonly before?: { readonly checkpoint: string; readonly proof: readonly string[] };
}

/** `GET /api/v1/lineage/<digest>`: what an artifact was made from, step by step, as signed statements say. */
export interface LineageResponse {
  readonly root: Digest;
  readonly nodes: readonly LineageNode[];
  /** Each from what was made to what it was made from. */
  readonly edges: readonly { readonly from: string; readonly to: string; readonly relation: string }[];
}
export interface LineageNode {
  /** A digest, or a device's origin. */
  readonly id: string;
  readonly kind: "model" | "file" | "dataset" | "selection" | "segment" | "device" | "artifact";
  readonly name?: string;
  readonly detail?: string;
}

/** `GET /api/v1/models/<digest>`: where a model lies, as the newest statement about it says. */
export interface ModelResponse {
  readonly model: Digest;
  readonly repository: string;
}

/** `GET /api/v1/data?model=<digest>`: segments of device ledgers that hold this model's records. */
export interface DataResponse {
  readonly model: Digest;
  readonly repository: string;
  readonly segments: readonly SegmentItem[];
  /** What of these rows stands under quarantine in that repository. */
  readonly quarantines: readonly QuarantineItem[];
}
export interface SegmentItem {
  readonly manifest: Digest;
  readonly origin: string;
  readonly deviceId: string;
  readonly from: number;
  readonly to: number;
  /** Index of the segment entry in the device's ledger. */
  readonly index: number;
}
