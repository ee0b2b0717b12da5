import * as crypto from "#crypto";
import { toBase64 } from "../bytes.ts";
import { encodeJson, type JsonObject } from "../content/i-json.ts";
import { EvidenceError } from "../error.ts";
import { type Envelope, parseEnvelope, payloadType, verificationMaterialKind } from "./envelope.ts";
import { pae } from "./pae.ts";
import { type PublicIdentity, publicIdentity } from "./public-identity.ts";
import { encodeStatement, type Statement } from "./statement.ts";

export interface StatementSigner {
  /** SHA-256 of the key's SPKI DER, lowercase hex. */
  readonly keyId: string;
  /** The signature over these bytes, in the form that `verifyEnvelope` takes. */
  sign(bytes: Uint8Array): Promise<Uint8Array>;
}

/** Whoever signs on a person's behalf, whatever holds the key: a file, a token, a certificate of ten minutes. */
export interface Signer extends StatementSigner {
  readonly identity: PublicIdentity;
  /**
   * The `verificationMaterial` of a sigstore bundle around an envelope that this signer has just signed: certificates and
   * log entries where signing is keyless. Without it the bundle names the key.
   */
  verificationMaterial?(envelope: Envelope): Promise<JsonObject>;
  /** Lets go of what holds the key, such as a token's session. Nothing is asked of a signer after it. */
  close?(): Promise<void>;
}

/**
 * A signer with a private key in PEM: P-256 (SHA-256), P-384 (SHA-384), Ed25519 or ML-DSA-44.
 *
 * @throws EvidenceError `key-invalid`
 */
export function statementSignerFromPem(pem: string): Signer {
  const identity = publicIdentity(crypto.publicKeyOfPem(pem).spki);
  return { keyId: identity.keyId, identity, sign: (bytes) => crypto.signWithPem(pem, bytes) };
}

/**
 * Signs the statement with every signer given; their signatures stand in one envelope. A keyless one stands alone there, with what
 * proves whose it is.
 *
 * @throws EvidenceError `signature-missing` without a signer, `not-supported` for a keyless one beside others
 */
export async function signStatement(
  statement: Statement,
  ...signers: readonly (StatementSigner & Pick<Signer, "verificationMaterial">)[]
): Promise<Envelope> {
  if (signers.length === 0) throw new EvidenceError("signature-missing", "a statement needs a signer");
  const payload = encodeStatement(statement);
  const message = pae(payloadType, payload);
  const keyless = signers.find(({ verificationMaterial }) => verificationMaterial !== undefined);
  if (keyless !== undefined) {
    if (signers.length > 1)
      throw new EvidenceError("not-supported", "a keyless signature stands alone in its envelope");
    const signature = { keyid: "", sig: toBase64(await keyless.sign(message)) };
    const bare = envelopeOf(payload, [signature]);
    const ext = await keyless.verificationMaterial!(bare);
    return envelopeOf(payload, [{ ...signature, extension: { kind: verificationMaterialKind, ext } }]);
  }
  return envelopeOf(
    payload,
    await Promise.all(
      signers.map(async (signer) => ({ keyid: signer.keyId, sig: toBase64(await signer.sign(message)) })),
    ),
  );
}

function envelopeOf(payload: Uint8Array, signatures: readonly JsonObject[]): Envelope {
  return parseEnvelope(encodeJson({ payload: toBase64(payload), payloadType, signatures }));
}
