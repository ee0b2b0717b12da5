import { readDer } from "../der.ts";

/** Bytes of each half of an ECDSA signature, by curve. */
const halves: Readonly<Record<string, number>> = { "p-256": 32, "p-384": 48, "p-521": 66 };

/** An ECDSA signature in DER as JOSE and COSE have it (RFC 7518, section 3.4): r and s of a fixed length each. */
export function plainEcdsa(der: Uint8Array, curve: string): Uint8Array {
  const [sequence] = readDer(der);
  const length = halves[curve]!;
  const plain = new Uint8Array(2 * length);
  for (const [i, { content }] of readDer(sequence!.content).entries()) {
    const number = content.subarray(Math.max(0, content.length - length));
    plain.set(number, (i + 1) * length - number.length);
  }
  return plain;
}
