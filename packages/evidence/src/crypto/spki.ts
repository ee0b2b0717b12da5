// SubjectPublicKeyInfo (RFC 5280) of the keys used here. Each algorithm has one DER prefix when the point of a curve is
// written uncompressed, and that one form is all that is read:
//
//     SEQUENCE { SEQUENCE { algorithm OID [, curve OID] }, BIT STRING { public key } }
import { concatBytes, equalBytes, fromHex } from "../bytes.ts";
import { EvidenceError } from "../error.ts";
import type { KeyAlgorithm } from "./algorithms.ts";

/** Algorithms whose public keys can be read; P-521 only verifies. */
export type SpkiAlgorithm = KeyAlgorithm | "p-521";

// For the curves the prefix ends with 04, which says that both coordinates follow.
const forms: readonly { algorithm: SpkiAlgorithm; prefix: Uint8Array; keyLength: number; isPoint: boolean }[] = [
  { algorithm: "ed25519", prefix: fromHex("302a300506032b6570032100"), keyLength: 32, isPoint: false },
  {
    algorithm: "ml-dsa-44",
    prefix: fromHex("30820532300b06096086480165030403110382052100"),
    keyLength: 1312,
    isPoint: false,
  },
  {
    algorithm: "p-256",
    prefix: fromHex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"),
    keyLength: 64,
    isPoint: true,
  },
  {
    algorithm: "p-384",
    prefix: fromHex("3076301006072a8648ce3d020106052b8104002203620004"),
    keyLength: 96,
    isPoint: true,
  },
  {
    algorithm: "p-521",
    prefix: fromHex("30819b301006072a8648ce3d020106052b810400230381860004"),
    keyLength: 132,
    isPoint: true,
  },
];

/**
 * Reads a public key out of its SPKI DER: 32 or 1,312 bytes, or the uncompressed point `04 ‖ x ‖ y` of a curve.
 *
 * @throws EvidenceError `key-invalid` for other algorithms and other encodings
 */
export function parseSpki(spki: Uint8Array): { algorithm: SpkiAlgorithm; key: Uint8Array } {
  for (const { algorithm, prefix, keyLength, isPoint } of forms) {
    if (spki.length === prefix.length + keyLength && equalBytes(spki.subarray(0, prefix.length), prefix)) {
      const key = spki.subarray(prefix.length);
      return { algorithm, key: isPoint ? concatBytes(Uint8Array.of(4), key) : key };
    }
  }
  throw new EvidenceError("key-invalid", "the public key is not one that is used here", {
    hint: "use Ed25519, ML-DSA-44, P-256 or P-384, with the point of a curve uncompressed",
  });
}

/** The SPKI DER of a raw public key. @throws EvidenceError `key-invalid` for one of another length */
export function formatSpki(algorithm: "ed25519" | "ml-dsa-44", key: Uint8Array): Uint8Array {
  const { prefix, keyLength } = forms.find((form) => form.algorithm === algorithm)!;
  if (key.length === keyLength) return concatBytes(prefix, key);
  throw new EvidenceError("key-invalid", `a public key of ${algorithm} has ${keyLength} bytes, not ${key.length}`);
}

/**
 * The DER inside a PEM public key, `-----BEGIN PUBLIC KEY-----`.
 *
 * @throws EvidenceError `key-invalid`
 */
export function spkiOfPem(pem: string): Uint8Array {
  const match = /^\s*-----BEGIN PUBLIC KEY-----\s([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*$/.exec(pem);
  if (match === null) throw new EvidenceError("key-invalid", "the text is not a PEM public key");
  try {
    return Uint8Array.fromBase64(match[1]!.replace(/\s/g, ""), { lastChunkHandling: "strict" });
  } catch (cause) {
    throw new EvidenceError("key-invalid", "the PEM public key is not base64", { cause });
  }
}
