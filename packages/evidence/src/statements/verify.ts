import type { Envelope } from "./envelope.ts";
import { pae } from "./pae.ts";
import { type PublicIdentity, verifyWithIdentity } from "./public-identity.ts";

/** What of an envelope its signatures are over, and they. */
export interface SignedPayload extends Pick<Envelope, "payload" | "signatures"> {
  readonly payloadType: string;
}

/**
 * Which of the keys signed the envelope, each once, in the order of `keys`; empty if none did. Signatures by other keys
 * and signatures that do not verify count for nothing (DSSE v1.0, protocol). A signature's key id only says which key to
 * try first, since nobody signed it.
 */
export function verifyEnvelope<Key extends PublicIdentity>(envelope: SignedPayload, keys: readonly Key[]): Key[] {
  const message = pae(envelope.payloadType, envelope.payload);
  return keys.filter((key) => {
    const hinted = envelope.signatures.filter((s) => s.keyId === key.keyId);
    const others = envelope.signatures.filter((s) => s.keyId !== key.keyId);
    return [...hinted, ...others].some((s) => verifyWithIdentity(key, message, s.signature));
  });
}
