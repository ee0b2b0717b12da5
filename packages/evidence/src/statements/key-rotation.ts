import type { Digest } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { type PublicIdentity, publicIdentityFromPem, publicKeyPem } from "./public-identity.ts";
import { makeStatement, onlySubject, predicateOf, type Statement } from "./statement.ts";

export const keyRotationType = "urn:tally:key-rotation:v1";

/**
 * A person goes on with another key. Both keys sign: the old one says that the new one takes its place, the new one that it is
 * held by whoever says so. The fleet log carries it out by revoking the old key as of `retiresAt`.
 *
 * Subject: the SHA-256 of the old key's SPKI DER.
 */
export interface KeyRotation {
  /** Key id of the old key. */
  readonly oldKeyId: string;
  readonly newKey: PublicIdentity;
  /** Milliseconds since 1970: what the old key signed counts where it is proven older. */
  readonly retiresAt: number;
  readonly reason: string;
}

export function keyRotationStatement({ oldKeyId, newKey, retiresAt, reason }: KeyRotation): Statement {
  return makeStatement([{ digest: `sha256:${oldKeyId}` as Digest }], keyRotationType, {
    newKey: publicKeyPem(newKey.spki),
    retiresAt,
    reason,
  });
}

/** @throws EvidenceError `statement-invalid` naming the field */
export function parseKeyRotation(statement: Statement): KeyRotation {
  const predicate = predicateOf(statement, keyRotationType);
  const oldKeyId = onlySubject(statement).slice("sha256:".length);
  const newKey = predicate.at("newKey").parse(publicIdentityFromPem);
  if (newKey.keyId === oldKeyId) {
    throw new EvidenceError("statement-invalid", "newKey: a key cannot take its own place");
  }
  const retiresAt = predicate.at("retiresAt").uint();
  return Object.freeze({ oldKeyId, newKey, retiresAt, reason: predicate.at("reason").text(4096) });
}
