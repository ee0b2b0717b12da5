import { decode, encode, type TagDecoder, Tagged } from "cborg";
import { OciError } from "../../error.ts";
import { coseAlgorithm, requireSignature } from "./algorithms.ts";
import {
  type EnvelopeWish,
  headers,
  type NotationEnvelope,
  notationPayloadType,
  objectIn,
  readAttributes,
  readChain,
  requireDisjoint,
} from "./envelope.ts";

// A Notary Project signature as COSE (notaryproject/specifications, signature-envelope-cose.md):
//
//     18([ <<{1: alg, 2: ["io.cncf.notary.signingScheme", …], 3: content type, "io.cncf.notary.signingScheme": "notary.x509", …}>>,
//          {33: [* certificate in DER], "io.cncf.notary.timestampSignature": token, …},
//          payload, signature ])                                                tag 18: COSE_Sign1 (RFC 9052)
//
// The signature is over RFC 9052's Sig_structure. Times are tag 1: seconds since 1970.

export const coseMediaType = "application/cose";

const label = { alg: 1, crit: 2, contentType: 3, chain: 33 } as const;

/** Signs a payload by the first certificate's key. */
export async function signCose({ payload, signer, chain, at, expires, stamp }: EnvelopeWish): Promise<Uint8Array> {
  const said = new Map<unknown, unknown>([
    [label.alg, signer.algorithm.cose],
    [label.crit, [headers.scheme, ...(expires === undefined ? [] : [headers.expiry])]],
    [label.contentType, notationPayloadType],
    [headers.scheme, "notary.x509"],
    [headers.signingTime, seconds(at)],
    ...(expires === undefined ? [] : [[headers.expiry, seconds(expires)] as const]),
  ]);
  const protectedHeader = encode(said);
  const signature = await signer.sign(toBeSigned(protectedHeader, payload));
  const token = await stamp?.(signature);
  const unprotected = new Map<unknown, unknown>([
    [label.chain, chain.map(({ raw }) => raw)],
    [headers.agent, "tally"],
    ...(token === undefined ? [] : [[headers.timestamp, token] as const]),
  ]);
  return encode(new Tagged(18, [protectedHeader, unprotected, payload, signature]));
}

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
  requireDisjoint(said.keys(), unprotected);
  const attributes = readAttributes({
    contentType: said.get(label.contentType),
    critical: said.get(label.crit),
    get: (name) => said.get(name),
    time: (value) => (value instanceof Date ? value : undefined),
  });
  const certificates: unknown = unprotected.get(label.chain);
  const chain = readChain(Array.isArray(certificates) ? certificates : [certificates], (item) =>
    isBytes(item) ? item : undefined,
  );
  requireSignature(coseAlgorithm(said.get(label.alg)), chain[0]!, toBeSigned(protectedHeader, payload), signature);
  const token: unknown = unprotected.get(headers.timestamp);
  if (token !== undefined && !isBytes(token)) throw bad("its timestamp is of the wrong kind");
  return Object.freeze({
    ...attributes,
    payload: objectIn(payload, "the payload"),
    chain,
    signature,
    ...(token && { timestamp: token }),
  });
}

function toBeSigned(protectedHeader: Uint8Array, payload: Uint8Array): Uint8Array {
  return encode(["Signature1", protectedHeader, new Uint8Array(), payload]);
}

function seconds(at: Date): Tagged {
  return new Tagged(1, Math.floor(at.getTime() / 1000));
}

/** Seconds since 1970 as a Date, and COSE_Sign1. */
const tags: Record<number, TagDecoder> = { 1: (inner) => timeOf(inner()), 18: (inner) => inner() };

function timeOf(value: unknown): Date {
  const time = new Date(typeof value === "number" ? value * 1000 : Number.NaN);
  if (Number.isNaN(time.getTime())) throw bad("a time in it is none");
  return time;
}

function read(bytes: Uint8Array, what: string): unknown {
  try {
    return decode(bytes, { useMaps: true, rejectDuplicateMapKeys: true, tags });
  } catch (cause) {
    throw bad(`${what} cannot be read: ${(cause as Error).message}`, cause);
  }
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array;
}

function bad(why: string, cause?: unknown): OciError {
  return new OciError("signature-invalid", why, { cause });
}
