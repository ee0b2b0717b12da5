import type { Digest, Envelope, ProvenTime, Statement, Trust, TrustedIdentity } from "@tally/evidence";
import { verifyEnvelope } from "@tally/evidence";

/** Where a decision is asked for: before an approval counts, before a release goes out, before a device runs a model. */
export const gates = ["approve", "release", "load"] as const;
export type Gate = (typeof gates)[number];

/** Everything a decision depends on. The same request gives the same verdict, on the plane and on a device without network. */
export interface PolicyRequest {
  readonly gate: Gate;
  /** The model's manifest: what the decision is about. */
  readonly manifest: Digest;
  readonly repository: string;
  /** `repository:name`; without it, a release to any channel of the repository will do. */
  readonly channel?: string;
  /** In the order of the plane's log, oldest first: a later word of a person replaces an earlier one. */
  readonly statements: readonly SignedStatement[];
  readonly trust: Trust;
  /** Gate `load`: the files that were measured and are to be run. */
  readonly files?: readonly MeasuredFile[];
  /** What the asker's clock says, ms since 1970. It is noted in the verdict and decides nothing. */
  readonly at?: number;
}

/** A statement and who of the trust file has signed it, whatever they may do. Made by `signedStatement`. */
export interface SignedStatement {
  /** Digest of the envelope with its signatures. */
  readonly envelope: Digest;
  readonly predicateType: string;
  readonly statement: Statement;
  readonly signers: readonly TrustedIdentity[];
  /** Where some of them count no more: all of them. Whoever made a model made it, whatever became of the key. */
  readonly everySigner?: readonly TrustedIdentity[];
  /** When it was signed at the latest, ms since 1970, as far as that is proven. */
  readonly atMs?: number;
  /** When it was logged at the earliest, as far as that is proven; null where nothing proves it, left out where `atMs` is all there is. */
  readonly notBeforeMs?: number | null;
}

/** What is known of a statement besides its envelope. */
export interface KnownSigners {
  /** Who of those known has signed it, and whose key counted then; every key of the trust file that has, if left out. */
  readonly signers: readonly TrustedIdentity[];
  /** With those whose key did not count any more. */
  readonly everySigner?: readonly TrustedIdentity[];
  readonly time: ProvenTime;
}

/** A file whose bytes were hashed by whoever is going to run them. */
export interface MeasuredFile {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/**
 * Verifies the envelope's signatures against every key of the trust file. `atMs` is the proven not-after of the statement;
 * without it, keys that the trust file limits to a period count for nothing.
 */
export function signedStatement(envelope: Envelope, trust: Trust, atMs?: number): SignedStatement {
  const time = atMs === undefined ? {} : { atMs };
  return statementBy(envelope, { signers: verifyEnvelope(envelope, trust.identities), time });
}

/** A statement whose signers are known: by keys that took the place of others, keyless, or with revoked ones left out. */
export function statementBy(envelope: Envelope, { signers, everySigner, time }: KnownSigners): SignedStatement {
  return Object.freeze({
    envelope: envelope.digest,
    predicateType: envelope.statement.predicateType,
    statement: envelope.statement,
    signers: Object.freeze([...signers]),
    ...(everySigner !== undefined && { everySigner }),
    ...time,
  });
}
