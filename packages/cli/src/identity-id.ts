import { type IdentityBody, keylessIdOf, publicIdentityFromPem } from "@tally/evidence";

/** The id by which statements name an identity: its key's, or that of a keyless one. */
export function identityIdOf({ key, keyless }: Pick<IdentityBody, "key" | "keyless">): string {
  if (keyless !== undefined) return keylessIdOf(keyless);
  return publicIdentityFromPem(key ?? "").keyId;
}
