/** Kinds of key that Tally makes and signs with. */
export type KeyAlgorithm = "ed25519" | "ml-dsa-44" | "p-256" | "p-384";

/** Hash under an ECDSA signature. */
export type EcdsaHash = "sha256" | "sha384" | "sha512";

/** FIPS 204, table 2. */
export const mlDsa44PublicKeyLength = 1312;
/** FIPS 204, table 2. */
export const mlDsa44SignatureLength = 2420;

/** The public half of a key. */
export interface PublicKeyOfPem {
  readonly algorithm: KeyAlgorithm;
  /** 32 bytes for Ed25519, 1,312 for ML-DSA-44, SPKI DER for the curves. */
  readonly raw: Uint8Array;
  /** SubjectPublicKeyInfo in DER (RFC 5280). */
  readonly spki: Uint8Array;
}

/** A SHA-256 in the making. */
export interface RunningSha256 {
  update(bytes: Uint8Array): void;
  /** 32 bytes, once. */
  digest(): Uint8Array;
}
