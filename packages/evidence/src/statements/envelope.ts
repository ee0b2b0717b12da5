import { fromBase64 } from "../bytes.ts";
import { type JsonObject, type JsonValue, parseJson } from "../content/i-json.ts";
import { given, JsonField } from "../content/json-field.ts";
import { type Digest, digestOf } from "../digest.ts";
import { parseStatement, type Statement } from "./statement.ts";

export const payloadType = "application/vnd.in-toto+json";

/** The most signatures that one envelope may carry. */
export const maxEnvelopeSignatures = 16;

/** Bytes of a payload in base64: a statement about ten thousand files fits. */
const maxPayloadBytes = 16 * 1024 * 1024;

/** A DSSE envelope around a statement. Its identity is the digest of its exact bytes, signatures included. */
export interface Envelope {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly payloadType: typeof payloadType;
  /** The bytes that were signed, to be passed through `pae`. */
  readonly payload: Uint8Array;
  readonly signatures: readonly EnvelopeSignature[];
  readonly statement: Statement;
}

export interface EnvelopeSignature {
  /** A hint only: it is not signed. Empty when the envelope names none. */
  readonly keyId: string;
  readonly signature: Uint8Array;
  /**
   * What proves whose the signature is where no key does: a sigstore `VerificationMaterial`, by DSSE's extension of a signature.
   * Nobody signed it; the log commits to it with the envelope.
   */
  readonly verificationMaterial?: JsonObject;
}

/** The kind under which sigstore's VerificationMaterial stands in an envelope, as sigstore_bundle.proto says. */
export const verificationMaterialKind = "application/vnd.dev.sigstore.verificationmaterial;version=0.1";

/**
 * Reads an envelope and the statement in it, and verifies nothing:
 *
 *     {"payload":"<base64>","payloadType":"application/vnd.in-toto+json","signatures":[{"keyid":"…","sig":"<base64>"}]}
 *
 * Both base64 alphabets are taken, padded; unknown fields are ignored. A signature may have the extension
 *
 *     "extension":{"kind":"application/vnd.dev.sigstore.verificationmaterial;version=0.1","ext":{…}}
 *
 * @throws EvidenceError `envelope-invalid` or `statement-invalid`
 */
export function parseEnvelope(bytes: Uint8Array): Envelope {
  const root = new JsonField(parseJson(bytes, "envelope-invalid"), "", "envelope-invalid");
  root.at("payloadType").oneOf(payloadType);
  const payload = root.at("payload").parse(fromEitherBase64, maxPayloadBytes);
  const signatures = root.at("signatures").nonEmptyList(readSignature);
  if (signatures.length > maxEnvelopeSignatures) {
    throw root.at("signatures").fail(`an envelope carries at most ${maxEnvelopeSignatures} signatures`);
  }
  const statement = parseStatement(payload);
  return Object.freeze({ bytes, digest: digestOf(bytes), payloadType, payload, signatures, statement });
}

function readSignature(field: JsonField): EnvelopeSignature {
  const keyid = field.at("keyid");
  const absent = keyid.value === undefined || keyid.value === null || keyid.value === "";
  return Object.freeze({
    keyId: absent ? "" : keyid.text(255),
    signature: field.at("sig").parse(fromEitherBase64),
    ...given("verificationMaterial", materialIn(field.at("extension").value)),
  });
}

/** Other extensions, and what is none, are ignored as unknown fields are. */
function materialIn(extension: JsonValue | undefined): JsonObject | undefined {
  if (typeof extension !== "object" || extension === null || Array.isArray(extension)) return undefined;
  const { kind, ext } = extension as JsonObject;
  const isObject = typeof ext === "object" && ext !== null && !Array.isArray(ext);
  return kind === verificationMaterialKind && isObject ? (ext as JsonObject) : undefined;
}

/** DSSE: "Either standard or URL-safe encoding is allowed." */
function fromEitherBase64(text: string): Uint8Array {
  const urlSafe = /[-_]/.test(text) && !/[+/]/.test(text);
  return fromBase64(urlSafe ? text.replaceAll("-", "+").replaceAll("_", "/") : text);
}
