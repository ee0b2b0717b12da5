import type { TrustedAction, TrustedIdentity } from "./identity.ts";
import { matchesRepository } from "./repository-pattern.ts";
import type { Trust } from "./trust.ts";

export interface IdentityQuestion {
  readonly action: TrustedAction;
  readonly repository: string;
  /**
   * When it was signed, in milliseconds since 1970, as far as it is proven. Where no time is proven, an identity that is
   * limited to a period cannot be shown to be within it, and is left out.
   */
  readonly atMs?: number;
}

/** The identities that may do this: their keys are the ones to give `verifyEnvelope`. */
export function identitiesFor(trust: Trust, question: IdentityQuestion): readonly TrustedIdentity[] {
  const { action, repository, atMs } = question;
  return trust.identities.filter(
    (identity) =>
      identity.may.includes(action) &&
      identity.repositories.some((pattern) => matchesRepository(pattern, repository)) &&
      isWithin(identity, atMs),
  );
}

function isWithin({ from, until }: TrustedIdentity, atMs: number | undefined): boolean {
  if (from === undefined && until === undefined) return true;
  return atMs !== undefined && (from ?? 0) <= atMs && atMs < (until ?? Number.POSITIVE_INFINITY);
}
