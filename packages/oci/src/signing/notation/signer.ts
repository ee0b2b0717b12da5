import { createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import type { Signer } from "@tally/evidence";
import { OciError } from "../../error.ts";
import { type Algorithm, algorithmFor, withParameters } from "./algorithms.ts";
import { plainEcdsa } from "./ecdsa.ts";

/** Who signs for the Notary Project, whatever holds the key. */
export interface NotationSigner {
  /** The public key, SubjectPublicKeyInfo in DER. */
  readonly spki: Uint8Array;
  readonly algorithm: Algorithm;
  /** The signature over these bytes as JOSE and COSE have it. */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** A signer of Tally's own, with a P-256 or P-384 key. Throws `signature-invalid` for other keys. */
export function notationSigner({ identity, sign: signed }: Signer): NotationSigner {
  const { spki } = identity;
  const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
  const algorithm = requireAlgorithm(key, identity.algorithm);
  return { spki, algorithm, sign: async (message) => plainEcdsa(await signed(message), identity.algorithm) };
}

/** A private RSA key, PEM without a passphrase: RSASSA-PSS. Throws `signature-invalid` unless it has 2048, 3072 or 4096 bits. */
export function notationSignerFromRsa(pem: string): NotationSigner {
  const key = createPrivateKey(pem);
  const algorithm = requireAlgorithm(key, `${key.asymmetricKeyDetails?.modulusLength} bit RSA`);
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  return { spki, algorithm, sign: async (message) => sign(algorithm.hash, message, withParameters(algorithm, key)) };
}

function requireAlgorithm(key: KeyObject, named: string): Algorithm {
  const algorithm = algorithmFor(key);
  if (algorithm !== undefined) return algorithm;
  throw new OciError("signature-invalid", `Notary Project signatures have no ${named} keys`, {
    hint: "sign with a P-256 or P-384 key, or an RSA key of 2048, 3072 or 4096 bits",
  });
}
