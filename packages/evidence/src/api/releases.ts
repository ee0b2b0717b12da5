import type { Digest } from "../digest.ts";

/** A statement of the plane's log with its proof under one checkpoint. Base64 is standard and padded. */
export interface ProvenEnvelope {
  readonly digest: Digest;
  /** The envelope's exact bytes, base64. */
  readonly envelope: string;
  /** Index in the plane's log. */
  readonly index: number;
  /** The log's entry, base64. */
  readonly entry: string;
  /** Inclusion proof from the leaf's sibling upward, base64 each. */
  readonly proof: readonly string[];
}

/**
 * `GET /api/v1/channels/<repository>/<channel>?pinned=<size>`: the newest release and every statement that a device
 * needs to decide on it. Nothing in it is to be believed without its proof.
 */
export interface ChannelResponse {
  readonly channel: string;
  readonly manifest: Digest;
  readonly sequence: number;
  /** Digest of the release's envelope, which is among the statements. */
  readonly release: Digest;
  /** In the order of the log. */
  readonly statements: readonly ProvenEnvelope[];
  /** The cosigned checkpoint that the proofs are under: the complete note. */
  readonly checkpoint: string;
  /** Consistency from the pinned size, base64 each; empty when nothing was pinned. */
  readonly consistency: readonly string[];
}
