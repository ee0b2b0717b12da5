import { X509Certificate } from "node:crypto";
import { fromUtf8, type JsonObject, parseJson } from "@tally/evidence";
import { OciError } from "../../error.ts";
import { shown } from "../shown.ts";
import type { NotationSigner } from "./signer.ts";

// What Notary Project signatures have in common, in JWS and in COSE (notaryproject/specifications, signature-specification.md).

export const notationPayloadType = "application/vnd.cncf.notary.payload.v1+json";
export const headers = {
  scheme: "io.cncf.notary.signingScheme",
  signingTime: "io.cncf.notary.signingTime",
  authenticSigningTime: "io.cncf.notary.authenticSigningTime",
  expiry: "io.cncf.notary.expiry",
  /** Unprotected: an RFC 3161 token over the signature. */
  timestamp: "io.cncf.notary.timestampSignature",
  /** Unprotected. */
  agent: "io.cncf.notary.signingAgent",
} as const;

/** By certificate, or by an authority that signs for others and vouches for the time. */
export type SigningScheme = "notary.x509" | "notary.x509.signingAuthority";

/** What the signer said beside the payload, under the signature. */
export interface SignedAttributes {
  readonly scheme: SigningScheme;
  /** Of the scheme signingAuthority alone: when it signed. */
  readonly authenticSigningTime?: Date;
  readonly expires?: Date;
}

/** An envelope whose signature is its first certificate's. Whether that one is to be believed is not judged yet. */
export interface NotationEnvelope extends SignedAttributes {
  readonly payload: JsonObject;
  readonly chain: readonly X509Certificate[];
  /** What a timestamp is over. */
  readonly signature: Uint8Array;
  /** An RFC 3161 token; nothing of it is looked at yet. */
  readonly timestamp?: Uint8Array;
}

/** What is to be signed, and by whom. */
export interface EnvelopeWish {
  readonly payload: Uint8Array;
  readonly signer: NotationSigner;
  /** The signer's first, its root last. */
  readonly chain: readonly X509Certificate[];
  /** When it is signed, as the signer says. */
  readonly at: Date;
  readonly expires?: Date;
  /** Asked for an RFC 3161 token over the signature. */
  readonly stamp?: (signature: Uint8Array) => Promise<Uint8Array>;
}

/** A protected header, in whichever encoding. */
export interface ProtectedHeader {
  readonly contentType: unknown;
  readonly critical: unknown;
  readonly get: (name: string) => unknown;
  /** Undefined for what is no time. */
  readonly time: (value: unknown) => Date | undefined;
}

/**
 * Reads what was signed beside the payload. Throws `signature-invalid` for what is signed in another way, asks for more than is
 * looked at here, or does not mark as critical what has to be.
 */
export function readAttributes({ contentType, critical, get, time }: ProtectedHeader): SignedAttributes {
  if (contentType !== notationPayloadType) throw bad(`it signs ${shown(contentType)}, not ${notationPayloadType}`);
  const scheme = get(headers.scheme);
  if (scheme !== "notary.x509" && scheme !== "notary.x509.signingAuthority") {
    throw bad(`its signing scheme is ${shown(scheme)}, which is not known`);
  }
  const byAuthority = scheme === "notary.x509.signingAuthority";
  const timed: readonly string[] = [headers.expiry, ...(byAuthority ? [headers.authenticSigningTime] : [])];
  const list: readonly unknown[] = Array.isArray(critical) ? critical : [];
  if (!list.includes(headers.scheme)) throw bad("it does not mark its signing scheme as critical");
  const strange = list.find((name) => name !== headers.scheme && !timed.includes(name as string));
  if (strange !== undefined) throw bad(`it asks for ${shown(strange)}, which is not understood here`);
  const read = (name: string): Date | undefined => {
    const value = get(name);
    if (value === undefined && !list.includes(name)) return undefined;
    if (!list.includes(name)) throw bad(`it does not mark ${name} as critical`);
    const at = time(value);
    if (at === undefined) throw bad(`its ${name} is no time`);
    return at;
  };
  const expires = read(headers.expiry);
  const authenticSigningTime = byAuthority ? read(headers.authenticSigningTime) : undefined;
  if (byAuthority && authenticSigningTime === undefined) throw bad("it does not say when the authority signed");
  if (!byAuthority && get(headers.authenticSigningTime) !== undefined) {
    throw bad("it says an authentic signing time, which only a signing authority can");
  }
  return { scheme, ...(expires && { expires }), ...(authenticSigningTime && { authenticSigningTime }) };
}

/** The certificates that came with an envelope. Throws `signature-invalid`. */
export function readChain(list: readonly unknown[], bytesOf: (item: unknown) => Uint8Array | undefined) {
  if (list.length === 0 || list.length > 10) throw bad("the envelope has no certificates, or too many");
  return list.map((item) => {
    const der = bytesOf(item);
    if (der === undefined) throw bad("a certificate in it cannot be read");
    try {
      return new X509Certificate(der);
    } catch (cause) {
      throw bad("a certificate in it cannot be read", cause);
    }
  });
}

/** A JSON object without duplicate names. Throws `signature-invalid`. */
export function objectIn(bytes: Uint8Array, what: string): JsonObject {
  try {
    const value = parseJson(fromUtf8(bytes));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  } catch (cause) {
    throw bad(`${what} cannot be read: ${(cause as Error).message}`, cause);
  }
  throw bad(`${what} is no JSON object`);
}

/** @throws OciError `signature-invalid` where a label stands both where it is signed and where it is not (RFC 7515, 4; RFC 9052, 3) */
export function requireDisjoint(signed: Iterable<unknown>, unsigned: { has(label: unknown): boolean }): void {
  for (const label of signed) {
    if (unsigned.has(label)) throw bad(`its header ${shown(label)} stands both under the signature and outside of it`);
  }
}

function bad(why: string, cause?: unknown): OciError {
  return new OciError("signature-invalid", why, { cause });
}
