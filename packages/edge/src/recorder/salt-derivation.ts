import { hash } from "node:crypto";

/** A salt and where it lies: entries name the slot, never the salt. */
export interface Salt {
  readonly slot: number;
  readonly salt: Uint8Array;
  /** The key of the record that the slot is of; `sealPayload` encrypts contents under it. */
  readonly key: Uint8Array;
}

/** Bytes of a record key, and of a salt. */
export const keyBytes = 32;

/*
 * One-step key derivation (NIST SP 800-56C, rev. 2, 4.1): H(counter ‖ key ‖ fixed info), counter = 00 00 00 01. The key is
 * 32 random bytes, and each label is for one purpose. SHA-512 gives a record's two salts at once; as text of one character
 * a byte it comes in half the time of a buffer (0.6 against 1.05 µs); arrays of their own, not views of one, as small ones lie
 * within the object (another 0.2 µs).
 */
const saltInput = input("tally/salts/v1");
const payloadInput = input("tally/payload/v1");

/** The salts of a record's even and odd slot. */
export function deriveSalts(recordKey: Uint8Array): readonly [even: Uint8Array, odd: Uint8Array] {
  saltInput.set(recordKey, 4);
  const text = hash("sha512", saltInput, "latin1");
  const [even, odd] = [new Uint8Array(keyBytes), new Uint8Array(keyBytes)];
  for (let i = 0; i < keyBytes; i++) {
    even[i] = text.charCodeAt(i);
    odd[i] = text.charCodeAt(keyBytes + i);
  }
  return [even, odd];
}

/** The AES-256 key of what is kept of a record's contents. */
export function derivePayloadKey(recordKey: Uint8Array): Buffer {
  payloadInput.set(recordKey, 4);
  return hash("sha256", payloadInput, "buffer");
}

function input(label: string): Buffer {
  return Buffer.concat([Buffer.from([0, 0, 0, 1]), Buffer.alloc(keyBytes), Buffer.from(label)]);
}
