export { formatTrust } from "./format.ts";
export {
  type IdentityQuestion,
  identitiesFor,
  type ProvenTime,
  signedWhen,
  whyNot,
  whyNotAllowed,
  whyNotThen,
} from "./identities-for.ts";
export {
  type FollowedRotation,
  followRotation,
  KeyStanding,
  type KnownIdentity,
  type LoggedEnvelope,
  type PersonsRevocation,
  type RefusedRotation,
  type RotatedIdentity,
  whyNotSince,
} from "./key-standing.ts";
export {
  type KeylessIdentity,
  type KeylessName,
  type KeylessSigner,
  type KeylessSigners,
  type KeylessTrustFile,
  type KeylessVerifier,
  keylessIdOf,
  matchesCertificateIdentity,
} from "./keyless-identity.ts";
export { defaultSkewSeconds, parseTrust, typesOf } from "./parse.ts";
export { matchesRepository } from "./repository-pattern.ts";
export {
  type CheckpointAlgorithm,
  checkpointAlgorithms,
  type Trust,
  type TrustedPlane,
  trustFormat,
} from "./trust.ts";
export { type TrustedAction, type TrustedIdentity, trustedActions } from "./trusted-identity.ts";
