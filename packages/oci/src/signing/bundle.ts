import { X509Certificate } from "node:crypto";
import {
  type Envelope,
  encodeJson,
  encodeStatement,
  fromBase64,
  fromUtf8,
  type JsonObject,
  type JsonValue,
  type PublicIdentity,
  pae,
  parseEnvelope,
  parseJson,
  payloadType,
  publicIdentity,
  publicIdentityFromPem,
  publicKeyPem,
  type Signer,
  type Statement,
  type StatementSigner,
  sha256,
  toBase64,
  toHex,
  utf8,
  verificationMaterialKind,
} from "@tally/evidence";
import { OciError } from "../error.ts";
import { shown } from "./shown.ts";

export const bundleMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json";

const largestBundle = 64 * 1024 * 1024;

/** How a bundle says whose signature it holds; `kind` is the signing method of OpenSSF Model Signing. */
export type VerificationMaterial =
  | {
      readonly kind: "key";
      /** Hex SHA-256 of the key as PEM. Bundles from before version 1.1 of the reference tool have the key itself. */
      readonly hint?: string;
      readonly publicKey?: PublicIdentity;
    }
  | {
      readonly kind: "certificate";
      /** The signer's first. */
      readonly chain: readonly X509Certificate[];
    }
  | {
      readonly kind: "sigstore";
      readonly certificate: X509Certificate;
      readonly logEntries: number;
      /** As it stands in the bundle. */
      readonly json: JsonObject;
    };

/** A sigstore bundle with a DSSE envelope. Nothing of it is verified yet, and what the envelope holds is not read. */
export interface SigstoreBundle {
  readonly bytes: Uint8Array;
  readonly material: VerificationMaterial;
  readonly dsseEnvelope: JsonObject;
}

/** A sigstore bundle around a statement, as OpenSSF Model Signing v1.0 uses it. Nothing of it is verified yet. */
export interface ModelBundle extends SigstoreBundle {
  /**
   * Its bytes are the RFC 8785 form of the bundle's `dsseEnvelope`: its identity as a statement. That of a keyless bundle carries the
   * verification material as an extension of its signature, since nothing else says whose it is.
   */
  readonly envelope: Envelope;
}

/**
 * Parses a bundle (model-signing-spec v1.0, sections 4 and 11; schemas/v1.0/bundle.schema.json). Throws
 * `signature-invalid`, naming the field.
 */
export function parseModelBundle(bytes: Uint8Array): ModelBundle {
  const bundle = parseBundle(bytes);
  const envelope = reading("dsseEnvelope", () => parseEnvelope(encodeJson(statementEnvelope(bundle))));
  return Object.freeze({ ...bundle, envelope });
}

function statementEnvelope({ material, dsseEnvelope }: SigstoreBundle): JsonObject {
  const { signatures } = dsseEnvelope;
  if (material.kind !== "sigstore" || !Array.isArray(signatures) || signatures.length !== 1) return dsseEnvelope;
  const extension = { kind: verificationMaterialKind, ext: material.json };
  return { ...dsseEnvelope, signatures: [{ ...asObject(signatures[0], "dsseEnvelope.signatures[0]"), extension }] };
}

/** Parses a bundle around an envelope of whatever holds it. Throws `signature-invalid`, naming the field. */
export function parseBundle(bytes: Uint8Array): SigstoreBundle {
  if (bytes.length > largestBundle) throw invalid("the bundle", `has more than ${largestBundle} bytes`);
  const root = asObject(
    reading("the bundle", () => parseJson(bytes)),
    "the bundle",
  );
  const { mediaType, verificationMaterial, dsseEnvelope, ...others } = root;
  const [stray] = Object.keys(others);
  if (stray !== undefined) throw invalid("the bundle", `has the field ${shown(stray)}, which no model signature has`);
  if (mediaType !== bundleMediaType && mediaType !== "application/vnd.dev.sigstore.bundle+json;version=0.3") {
    throw invalid("mediaType", `is ${shown(mediaType)}, not ${bundleMediaType}`);
  }
  const material = parseMaterial(asObject(verificationMaterial, "verificationMaterial"));
  const envelope = asObject(dsseEnvelope, "dsseEnvelope");
  // Of several, a verifier could believe another one than whoever else looks at the bundle (sigstore_bundle.proto, dsse_envelope).
  const count = Array.isArray(envelope.signatures) ? envelope.signatures.length : 0;
  if (count !== 1) throw invalid("dsseEnvelope", `has to hold one signature, not ${count}`);
  return Object.freeze({ bytes, material, dsseEnvelope: envelope });
}

/**
 * Signs a statement for a bundle. The signature names no key: cosign passes over one whose key id is not its own idea of it, the
 * reference signer of models writes none, and the bundle says whose it is.
 */
export async function signForBundle(statement: Statement, signer: StatementSigner): Promise<Envelope> {
  const payload = encodeStatement(statement);
  return unnamedEnvelope(payload, await signer.sign(pae(payloadType, payload)));
}

/** An envelope with one signature that names no key. */
export function unnamedEnvelope(payload: Uint8Array, signature: Uint8Array): Envelope {
  const signatures = [{ keyid: "", sig: toBase64(signature) }];
  return parseEnvelope(encodeJson({ payload: toBase64(payload), payloadType, signatures }));
}

/** A bundle for an envelope that a long-lived key signed. The same envelope and key give the same bytes. */
export function keyBundle(envelope: Envelope, spki: Uint8Array): Uint8Array {
  return encodeBundle(envelope, { publicKey: { hint: keyHint(spki) }, tlogEntries: [] });
}

/** A bundle for an envelope that this signer signed: keyless where it has a certificate to show, else with its key. */
export async function signerBundle(envelope: Envelope, signer: Signer): Promise<Uint8Array> {
  if (signer.verificationMaterial === undefined) return keyBundle(envelope, signer.identity.spki);
  return encodeBundle(envelope, await signer.verificationMaterial(envelope));
}

/** A bundle for an envelope signed by the key of the first certificate of the chain. */
export function certificateBundle(envelope: Envelope, chain: readonly X509Certificate[]): Uint8Array {
  const certificates = chain.map(({ raw }) => ({ rawBytes: toBase64(raw) }));
  return encodeBundle(envelope, { x509CertificateChain: { certificates }, tlogEntries: [] });
}

/** Whether a hint names this key: as model_signing writes it, or as cosign does, Base64 of the SHA-256 of the key's DER. */
export function hintNames(hint: string, spki: Uint8Array): boolean {
  return hint === keyHint(spki) || hint === toBase64(sha256(spki));
}

/** Hex SHA-256 of the key as PEM with 64 columns and a newline at the end, which is how the reference tool names a key. */
export function keyHint(spki: Uint8Array): string {
  return toHex(sha256(utf8(publicKeyPem(spki))));
}

function encodeBundle(envelope: Envelope, verificationMaterial: JsonObject): Uint8Array {
  return encodeJson({
    mediaType: bundleMediaType,
    verificationMaterial,
    dsseEnvelope: parseJson(envelope.bytes),
  });
}

function parseMaterial(json: JsonObject): VerificationMaterial {
  const { publicKey, x509CertificateChain, certificate, tlogEntries = [] } = json;
  const given = [publicKey, x509CertificateChain, certificate].filter((item) => item !== undefined);
  if (given.length !== 1) {
    throw invalid("verificationMaterial", "must have one of publicKey, x509CertificateChain and certificate");
  }
  if (!Array.isArray(tlogEntries)) throw invalid("verificationMaterial.tlogEntries", "must be a list");
  if (publicKey !== undefined) return parseKey(asObject(publicKey, "verificationMaterial.publicKey"));
  if (x509CertificateChain !== undefined) {
    const where = "verificationMaterial.x509CertificateChain";
    const { certificates } = asObject(x509CertificateChain, where);
    if (!Array.isArray(certificates) || certificates.length === 0 || certificates.length > 10) {
      throw invalid(`${where}.certificates`, "must be a list of 1 to 10 certificates");
    }
    const chain = certificates.map((item, i) => parseCertificate(item, `${where}.certificates[${i}]`));
    return Object.freeze({ kind: "certificate", chain: Object.freeze(chain) });
  }
  if (tlogEntries.length === 0) {
    throw invalid("verificationMaterial.tlogEntries", "must have an entry: a keyless signature is proven by its log");
  }
  return Object.freeze({
    kind: "sigstore",
    certificate: parseCertificate(certificate, "verificationMaterial.certificate"),
    logEntries: tlogEntries.length,
    json,
  });
}

function parseKey({ hint, rawBytes }: JsonObject): VerificationMaterial {
  const where = "verificationMaterial.publicKey";
  if (typeof hint === "string" && hint !== "") return Object.freeze({ kind: "key", hint });
  if (typeof rawBytes !== "string") throw invalid(where, "has neither a hint nor the key");
  // The reference tool wrote the PEM into a field that is meant for DER.
  const publicKey = reading(`${where}.rawBytes`, () => {
    const raw = fromBase64(rawBytes);
    return raw[0] === 0x2d ? publicIdentityFromPem(fromUtf8(raw)) : publicIdentity(raw);
  });
  return Object.freeze({ kind: "key", publicKey });
}

function parseCertificate(value: JsonValue | undefined, where: string): X509Certificate {
  const { rawBytes } = asObject(value, where);
  if (typeof rawBytes !== "string") throw invalid(where, "has no rawBytes");
  return reading(where, () => new X509Certificate(fromBase64(rawBytes)));
}

function asObject(value: JsonValue | undefined, where: string): JsonObject {
  if (value === undefined) throw invalid(where, "is missing");
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(where, "must be an object");
  return value as JsonObject;
}

function reading<T>(where: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw invalid(where, `cannot be read: ${(cause as Error).message}`, cause);
  }
}

function invalid(where: string, why: string, cause?: unknown): OciError {
  return new OciError("signature-invalid", `model signature: ${where} ${why}`, cause === undefined ? {} : { cause });
}
