import * as crypto from "#crypto";
import { toBase64 } from "../bytes.ts";
import { encodeJson, type JsonObject } from "../content/i-json.ts";
import { EvidenceError } from "../error.ts";
import { type Envelope, parseEnvelope, payloadType } from "./envelope.ts";
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

/** Signs the statement with every signer given; their signatures stand in one envelope. */
export async function signStatement(statement: Statement, ...signers: readonly StatementSigner[]): Promise<Envelope> {
  if (signers.length === 0) throw new EvidenceError("signature-missing", "a statement needs a signer");
  const payload = encodeStatement(statement);
  const message = pae(payloadType, payload);
  const signatures = await Promise.all(
    signers.map(async (signer) => ({ keyid: signer.keyId, sig: toBase64(await signer.sign(message)) })),
  );
  return parseEnvelope(encodeJson({ payload: toBase64(payload), payloadType, signatures }));
}
