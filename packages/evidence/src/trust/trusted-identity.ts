import type { PublicIdentity } from "../statements/public-identity.ts";

/** What a statement's signer may be trusted to say. */
export const trustedActions = [
  "ingest",
  "train",
  "sign-model",
  "evaluate",
  "approve",
  "release",
  "select",
  "export",
  "manage-fleet",
  "quarantine",
] as const;
export type TrustedAction = (typeof trustedActions)[number];

/** A key that the trust file ties to someone, with what it may sign, where, and when. */
export interface TrustedIdentity extends PublicIdentity {
  /** Who it is. Two keys of one name are one person's. */
  readonly name: string;
  readonly may: readonly TrustedAction[];
  /** Patterns, `*` standing for any run of characters. */
  readonly repositories: readonly string[];
  /** Milliseconds since 1970, inclusive. */
  readonly from?: number;
  /** Milliseconds since 1970, exclusive. */
  readonly until?: number;
}
