import type { KeylessSigner } from "./keyless-identity.ts";
import { isRepositoryName, matchesRepository } from "./repository-pattern.ts";
import type { Trust } from "./trust.ts";
import type { TrustedAction, TrustedIdentity } from "./trusted-identity.ts";

export interface IdentityQuestion {
  readonly action: TrustedAction;
  readonly repository: string;
  /**
   * When it was signed at the latest, in milliseconds since 1970, as far as that is proven. Where no time is proven, an
   * identity that is limited to a period cannot be shown to be within it, and is left out.
   */
  readonly atMs?: number;
  /**
   * When it was logged at the earliest, as far as that is proven; null where nothing proves it. Left out where there is one
   * moment only, `atMs`: `from` is then compared with that.
   */
  readonly notBeforeMs?: number | null;
}

/** The identities that may do this: their keys are the ones to give `verifyEnvelope`. */
export function identitiesFor(
  trust: Pick<Trust, "identities">,
  question: IdentityQuestion,
): readonly TrustedIdentity[] {
  return trust.identities.filter((identity) => whyNot(identity, question) === undefined);
}

/** When something was signed, as far as it is proven: see `IdentityQuestion`. */
export type ProvenTime = Pick<IdentityQuestion, "atMs" | "notBeforeMs">;

/**
 * When a signer has signed, by what is proven of the statement and, of a keyless signature, by its own certificate and log: the later
 * beginning and the earlier end.
 */
export function signedWhen(signer: TrustedIdentity | KeylessSigner, time: ProvenTime): ProvenTime {
  if (!("signed" in signer)) return time;
  const { notBeforeMs, atMs } = signer.signed;
  return {
    atMs: Math.min(atMs, time.atMs ?? atMs),
    notBeforeMs: Math.max(notBeforeMs, time.notBeforeMs ?? notBeforeMs),
  };
}

/** Why an identity does not count for this, in words; undefined where it does. */
export function whyNot(identity: TrustedIdentity, question: IdentityQuestion): string | undefined {
  return whyNotAllowed(identity, question) ?? whyNotThen(identity, question);
}

/** The same, but for the time. */
export function whyNotAllowed(
  { may, repositories }: Pick<TrustedIdentity, "may" | "repositories">,
  { action, repository }: Pick<IdentityQuestion, "action" | "repository">,
): string | undefined {
  if (!may.includes(action)) return `may not ${action}`;
  // What is about every repository is for those who may for every one; it matches no other pattern.
  if (repository !== "*" && !isRepositoryName(repository))
    return `may ${action}, but ${show(repository)} is no repository`;
  if (repositories.some((pattern) => matchesRepository(pattern, repository))) return undefined;
  return `may ${action} for ${repositories.join(", ")}, not for ${repository}`;
}

/** The same by the time alone. */
export function whyNotThen(
  { from, until }: Pick<TrustedIdentity, "from" | "until">,
  { atMs, notBeforeMs = atMs }: ProvenTime,
): string | undefined {
  if (from !== undefined && !(notBeforeMs !== undefined && notBeforeMs !== null && from <= notBeforeMs)) {
    return `counts from ${dateOf(from)} on; ${earliest(notBeforeMs)}`;
  }
  if (until !== undefined && !(atMs !== undefined && atMs < until)) {
    const proven = atMs === undefined ? "no time is proven" : `it is proven by ${dateOf(atMs)} only`;
    return `counts until ${dateOf(until)}; ${proven}`;
  }
  return undefined;
}

function earliest(notBeforeMs: number | null | undefined): string {
  if (notBeforeMs === undefined || notBeforeMs === null) return "nothing proves that it is no older";
  return `it is proven to be younger than ${dateOf(notBeforeMs)} only`;
}

function show(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}

function dateOf(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`;
}
