import { X509Certificate } from "node:crypto";
import { fromUtf8, type JsonObject, parseJson } from "@tally/evidence";
import { decode, encode, type TagDecoder } from "cborg";
import { OciError } from "../../error.ts";
import {
  algorithmNamed,
  expiry,
  type NotationEnvelope,
  requireSignature,
  requireUnderstood,
  scheme,
} from "./envelope.ts";

// A Notary Project signature as COSE (notaryproject/specifications, signature-envelope-cose.md):
//
//     18([ <<{1: alg, 2: ["io.cncf.notary.signingScheme", …], 3: content type, "io.cncf.notary.signingScheme": "notary.x509", …}>>,
//          {33: [* certificate in DER], …},                                      tag 18: COSE_Sign1 (RFC 9052)
//          payload, signature ])
//
// The signature is over RFC 9052's Sig_structure.

export const coseMediaType = "application/cose";

const label = { alg: 1, crit: 2, contentType: 3, chain: 33 } as const;

/** Seconds since 1970, and COSE_Sign1. */
const tags: Record<number, TagDecoder> = { 1: (inner) => inner(), 18: (inner) => inner() };

/** Reads an envelope and verifies its signature by its first certificate. Throws `signature-invalid`. */
export function openCose(bytes: Uint8Array): NotationEnvelope {
  if (bytes[0] !== 0xd2) throw bad("the envelope is no tagged COSE_Sign1");
  const parts = read(bytes, "the envelope");
  if (!Array.isArray(parts) || parts.length !== 4) throw bad("the envelope has not the four parts of a COSE_Sign1");
  const [protectedHeader, unprotected, payload, signature] = parts as readonly unknown[];
  if (!isBytes(protectedHeader) || !isBytes(payload) || !isBytes(signature) || !(unprotected instanceof Map)) {
    throw bad("a part of the envelope is of the wrong kind");
  }
  const said = read(protectedHeader, "the protected header");
  if (!(said instanceof Map)) throw bad("the protected header is no map");
  requireUnderstood(said.get(label.contentType), said.get(scheme), said.get(label.crit));
  const chain = chainIn(unprotected.get(label.chain));
  const message = encode(["Signature1", protectedHeader, new Uint8Array(), payload]);
  requireSignature(algorithmNamed(said.get(label.alg)), chain[0]!, message, signature);
  const until: unknown = said.get(expiry);
  return Object.freeze({
    payload: objectIn(payload),
    chain,
    ...(until === undefined ? {} : { expires: timeOf(until) }),
  });
}

function chainIn(value: unknown): readonly X509Certificate[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0 || list.length > 10 || !list.every(isBytes)) throw bad("the envelope has no certificates");
  return list.map((der) => {
    try {
      return new X509Certificate(der);
    } catch (cause) {
      throw bad("a certificate in it cannot be read", cause);
    }
  });
}

function timeOf(value: unknown): Date {
  if (typeof value !== "number" || !Number.isFinite(value)) throw bad("its expiry is no time");
  return new Date(value * 1000);
}

function read(bytes: Uint8Array, what: string): unknown {
  try {
    return decode(bytes, { useMaps: true, rejectDuplicateMapKeys: true, tags });
  } catch (cause) {
    throw bad(`${what} cannot be read: ${(cause as Error).message}`, cause);
  }
}

function objectIn(bytes: Uint8Array): JsonObject {
  try {
    const value = parseJson(fromUtf8(bytes));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  } catch (cause) {
    throw bad(`the payload cannot be read: ${(cause as Error).message}`, cause);
  }
  throw bad("the payload is no JSON object");
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array;
}

function bad(why: string, cause?: unknown): OciError {
  return new OciError("signature-invalid", why, { cause });
}
