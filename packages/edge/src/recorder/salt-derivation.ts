import { hash } from "node:crypto";

/** Bytes of a record key, and of a salt. */
export const keyBytes = 32;

/*
 * One-step key derivation (NIST SP 800-56C, rev. 2, 4.1): H(counter ‖ key ‖ fixed info), counter = 00 00 00 01. The key is
 * 32 random bytes, and each label is for one purpose. SHA-512 gives a record's two salts at once; as text of one character
 * a byte it comes in half the time of a buffer (0.6 against 1.05 µs).
 */
const saltInput = input("tally/salts/v1");
const payloadInput = input("tally/payload/v1");

/** The salts of a record's even and odd slot, one after the other: 64 bytes. */
export function deriveSalts(recordKey: Uint8Array): Buffer {
  saltInput.set(recordKey, 4);
  const salts = Buffer.allocUnsafe(2 * keyBytes);
  salts.write(hash("sha512", saltInput, "binary"), "latin1");
  return salts;
}

/** The AES-256 key of what is kept of a record's contents. */
export function derivePayloadKey(recordKey: Uint8Array): Buffer {
  payloadInput.set(recordKey, 4);
  return hash("sha256", payloadInput, "buffer");
}

function input(label: string): Buffer {
  return Buffer.concat([Buffer.from([0, 0, 0, 1]), Buffer.alloc(keyBytes), Buffer.from(label)]);
}
