export { formatTrust } from "./format.ts";
export {
  type IdentityQuestion,
  identitiesFor,
  type ProvenTime,
  whyNot,
  whyNotAllowed,
  whyNotThen,
} from "./identities-for.ts";
export { type TrustedAction, type TrustedIdentity, trustedActions } from "./identity.ts";
export { defaultSkewSeconds, parseTrust, typesOf } from "./parse.ts";
export { matchesRepository } from "./repository-pattern.ts";
export {
  type CheckpointAlgorithm,
  checkpointAlgorithms,
  type Trust,
  type TrustedPlane,
  trustFormat,
} from "./trust.ts";
