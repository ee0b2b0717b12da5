import * as crypto from "#crypto";
import { toBase64 } from "../bytes.ts";
import { encodeJson } from "../content/i-json.ts";
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

/** A signer with a private key in PEM: P-256 (SHA-256), P-384 (SHA-384), Ed25519 or ML-DSA-44. */
export function statementSignerFromPem(pem: string): StatementSigner & { readonly identity: PublicIdentity } {
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
