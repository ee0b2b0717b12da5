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
  /** Where a signer's key counts for a time only, as far as the plane knows: when it was logged. */
  readonly logged?: LoggedProof;
}

/** When a statement was logged: the first cosigned checkpoint that covers it, and the last that does not. Base64 each. */
export interface LoggedProof {
  readonly checkpoint: string;
  /** That the entry is under this checkpoint. */
  readonly proof: readonly string[];
  /** That the answer's checkpoint continues it. */
  readonly consistency: readonly string[];
  readonly before?: {
    readonly checkpoint: string;
    /** That the first that covers the entry continues it. */
    readonly consistency: readonly string[];
  };
}

/** An entry of the fleet log that revokes a person's key, under the fleet log's checkpoint. */
export interface ProvenRevocation {
  /** Index in the fleet log. */
  readonly index: number;
  /** Base64. */
  readonly entry: string;
  readonly proof: readonly string[];
}

/** What the fleet log says of people's keys: every revocation of one. The statements that name rotations are among the answer's. */
export interface PeopleRevocations {
  /** The fleet log's cosigned checkpoint: the complete note. */
  readonly checkpoint: string;
  /** In the order of the log. */
  readonly revocations: readonly ProvenRevocation[];
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
  /** Left out where no key of a person was ever revoked or rotated. */
  readonly people?: PeopleRevocations;
}
