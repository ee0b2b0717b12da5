import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { encodeCbor } from "@tally/evidence";
import type { Payload } from "./payload-store.ts";
import { derivePayloadKey } from "./salt-derivation.ts";

const nonceBytes = 12;
const tagBytes = 16;
const cipher = "aes-256-gcm";

/**
 * A payload as it is kept: `nonce [12] ‖ ciphertext ‖ tag [16]`, AES-256-GCM under a key of its record, with where it
 * belongs as associated data. When the record's key is destroyed, so is this.
 *
 * @param recordKey as its salt came with it
 */
export function sealPayload(payload: Payload, recordKey: Uint8Array): Payload {
  const nonce = randomBytes(nonceBytes);
  const sealing = createCipheriv(cipher, derivePayloadKey(recordKey), nonce).setAAD(placeOf(payload));
  const parts = [nonce, sealing.update(payload.bytes), sealing.final()];
  return { ...payload, bytes: Buffer.concat([...parts, sealing.getAuthTag()]) };
}

/** The payload as it was; undefined where it is not what was sealed under this key, at this place. */
export function openPayload(sealed: Payload, recordKey: Uint8Array): Payload | undefined {
  const { bytes } = sealed;
  if (bytes.length < nonceBytes + tagBytes) return undefined;
  const opening = createDecipheriv(cipher, derivePayloadKey(recordKey), bytes.subarray(0, nonceBytes))
    .setAAD(placeOf(sealed))
    .setAuthTag(bytes.subarray(bytes.length - tagBytes));
  try {
    const opened = [opening.update(bytes.subarray(nonceBytes, bytes.length - tagBytes)), opening.final()];
    return { ...sealed, bytes: new Uint8Array(Buffer.concat(opened)) };
  } catch {
    return undefined;
  }
}

/** What a sealed payload takes beyond its content. */
export const sealedOverhead = nonceBytes + tagBytes;

function placeOf({ index, role, slot, mediaType }: Payload): Uint8Array {
  return encodeCbor([index, role, slot, mediaType]);
}
