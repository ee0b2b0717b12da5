import type { Digest } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import type { Envelope } from "../statements/envelope.ts";
import { parseKeyRotation } from "../statements/key-rotation.ts";
import { verifyEnvelope } from "../statements/verify.ts";
import { type ProvenTime, whyNotThen } from "./identities-for.ts";
import type { Trust } from "./trust.ts";
import type { TrustedIdentity } from "./trusted-identity.ts";

/** A key that took the place of one of the trust file's, with the rights of that one. */
export interface RotatedIdentity extends TrustedIdentity {
  /** Entry of the plane's log that put it there: what it signed before counts for nothing. */
  readonly since: number;
}

export type KnownIdentity = TrustedIdentity | RotatedIdentity;

/** That a person's key counts no more, as an entry of the fleet log has it. */
export interface PersonsRevocation {
  readonly keyId: string;
  /** Milliseconds since 1970; null: nothing that was signed with it holds. */
  readonly compromiseTime: number | null;
  /** The envelope of the statement that says so: somebody's decision, or a rotation. */
  readonly statement: Digest;
}

/** A statement with its place in the plane's log, and the bracket in which it was logged, as far as that is proven. */
export interface LoggedEnvelope {
  readonly envelope: Envelope;
  readonly index: number;
  readonly time: ProvenTime;
}

/** What came of a rotation: the identities that it adds, or why the old key's signature on it does not count. */
export type FollowedRotation = { readonly added: readonly RotatedIdentity[] } | { readonly notCounting: string };

/**
 * Follows one rotation of a person's key. Both keys have to have signed it, its time has to be the fleet log's, and the old key's signature
 * has to stand.
 *
 * @param known who is known so far
 * @param whyNot why the old key's signature on the rotation does not count, for one of its identities
 * @throws EvidenceError `statement-invalid` where it is no rotation of that key
 */
export function followRotation(
  known: readonly KnownIdentity[],
  { keyId, compromiseTime }: PersonsRevocation,
  { envelope, index }: Pick<LoggedEnvelope, "envelope" | "index">,
  whyNot: (identity: KnownIdentity) => string | undefined,
): FollowedRotation {
  const old = known.filter((identity) => identity.keyId === keyId);
  const [first] = old;
  if (first === undefined) return { added: [] };
  const { newKey, retiresAt, oldKeyId } = parseKeyRotation(envelope.statement);
  if (oldKeyId !== keyId) throw broken("the statement that the entry names is about another key");
  if (retiresAt !== compromiseTime) throw broken("the statement names another time than the fleet log");
  if (verifyEnvelope(envelope, [first, newKey]).length !== 2) {
    throw broken("the old key and the new one have not both signed it");
  }
  const standing = old.filter((identity) => whyNot(identity) === undefined);
  if (standing.length === 0) {
    return { notCounting: `the old key's signature does not count: ${first.name} ${whyNot(first)}` };
  }
  const taken = known.find((identity) => identity.keyId === newKey.keyId && identity.name !== first.name);
  if (taken !== undefined) throw broken(`the new key is ${taken.name}'s`);
  return { added: standing.map((identity) => ({ ...identity, ...newKey, since: index })) };
}

/** What is known of a rotation that was not followed. */
export interface RefusedRotation {
  readonly keyId: string;
  readonly statement: Digest;
  readonly why: string;
}

/**
 * People's keys by a trust file, with what the plane's logs prove about them since: which are revoked, as of when, and which took the
 * place of others. Revocations only take. A rotation gives a new key the rights of an old one by the old one's own signature.
 */
export class KeyStanding {
  /** The trust file's, then those that took their places. */
  readonly identities: readonly KnownIdentity[];
  readonly refused: readonly RefusedRotation[];
  readonly #revocations: readonly PersonsRevocation[];

  /**
   * @param revocations in the order of the fleet log
   * @param rotations the statements that revocations name, where they are rotations, by the digests of their envelopes
   */
  constructor(
    trust: Pick<Trust, "identities">,
    revocations: readonly PersonsRevocation[],
    rotations: ReadonlyMap<Digest, LoggedEnvelope>,
  ) {
    this.#revocations = revocations;
    const known: KnownIdentity[] = [...trust.identities];
    const refused: RefusedRotation[] = [];
    for (const revocation of revocations) {
      const { keyId, statement } = revocation;
      const rotation = rotations.get(statement);
      if (rotation === undefined) continue;
      try {
        const whyNot = (identity: KnownIdentity) =>
          whyNotThen(identity, rotation.time) ??
          whyNotSince(identity, rotation.index) ??
          this.#whyRevoked(identity, rotation.time, statement);
        const followed = followRotation(known, revocation, rotation, whyNot);
        if ("added" in followed) known.push(...followed.added);
        else refused.push({ keyId, statement, why: followed.notCounting });
      } catch (error) {
        if (!(error instanceof EvidenceError)) throw error;
        refused.push({ keyId, statement, why: error.message });
      }
    }
    this.identities = Object.freeze(known);
    this.refused = Object.freeze(refused);
  }

  /** Since when a key is revoked, by the strictest of its revocations; undefined where it is not, null for all that it ever signed. */
  revokedSince({ keyId }: Pick<TrustedIdentity, "keyId">): number | null | undefined {
    const times = this.#revocations.filter((one) => one.keyId === keyId).map(({ compromiseTime }) => compromiseTime);
    if (times.length === 0) return undefined;
    return times.reduce((a, b) => (a === null || b === null ? null : Math.min(a, b)));
  }

  /** Why a signature does not count whatever its signer may do: its key was revoked before, or took its place only later. */
  whyNot(
    identity: KnownIdentity,
    { time, index }: { readonly time: ProvenTime; readonly index?: number },
  ): string | undefined {
    return whyNotSince(identity, index) ?? this.#whyRevoked(identity, time);
  }

  #whyRevoked({ keyId }: TrustedIdentity, { atMs }: ProvenTime, besides?: Digest): string | undefined {
    for (const { keyId: revoked, compromiseTime, statement } of this.#revocations) {
      if (revoked !== keyId || statement === besides) continue;
      if (compromiseTime === null) return "signed with a key that is revoked for all that it ever signed";
      if (atMs === undefined || atMs >= compromiseTime) {
        return `signed with a key that is revoked as of ${showTime(compromiseTime)}; ${proven(atMs)}`;
      }
    }
    return undefined;
  }
}

/** Why a key that took another's place does not count: it signed before it did, or nothing proves that it signed after. */
export function whyNotSince(identity: KnownIdentity, index: number | undefined): string | undefined {
  if (!("since" in identity) || (index !== undefined && index > identity.since)) return undefined;
  const place = `signed with a key that took its place only at entry ${identity.since} of the plane's log`;
  return index === undefined ? `${place}, and nothing proves that it was later` : place;
}

function proven(atMs: number | undefined): string {
  return atMs === undefined ? "no time is proven" : `it is proven by ${showTime(atMs)} only`;
}

function showTime(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`;
}

function broken(what: string): EvidenceError {
  return new EvidenceError("statement-invalid", what);
}
