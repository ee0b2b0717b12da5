import { formatSpki } from "../crypto/spki.ts";
import { EvidenceError } from "../error.ts";
import type { KeySet } from "../note/index.ts";
import type { Envelope } from "./envelope.ts";
import { type PublicIdentity, publicIdentity } from "./public-identity.ts";
import { verifyEnvelope } from "./verify.ts";

/** The keys of a device's set as keys that sign statements. Keys that sign cosignatures only have no such form. */
export function deviceIdentities(keySet: KeySet): readonly PublicIdentity[] {
  return keySet.flatMap(({ type, publicKey }) => {
    if (type === 1) return [publicIdentity(formatSpki("ed25519", publicKey))];
    if (type === 2) return [publicIdentity(publicKey)];
    return type === 6 ? [publicIdentity(formatSpki("ml-dsa-44", publicKey))] : [];
  });
}

/**
 * That a device signed a statement, with every key of the set, as it signs its checkpoints.
 *
 * @throws EvidenceError `signature-missing`, `key-invalid`
 */
export function requireDeviceSignature(envelope: Envelope, keySet: KeySet): readonly PublicIdentity[] {
  const keys = deviceIdentities(keySet);
  const signed = verifyEnvelope(envelope, keys);
  if (keys.length === keySet.length && keys.length > 0 && signed.length === keys.length) return signed;
  throw new EvidenceError("signature-missing", `${signed.length} of the device's ${keySet.length} keys signed it`, {
    hint: "every key of the device's key set has to sign",
  });
}
