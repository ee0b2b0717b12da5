import { encodeJson, type JsonObject, toBase64, utf8 } from "@tally/evidence";
import { OciError } from "../../error.ts";
import { joseAlgorithm, requireSignature } from "./algorithms.ts";
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

// A Notary Project signature as JWS (notaryproject/specifications, signature-envelope-jws.md), JSON flattened:
//
//     {"payload": "<base64url of {"targetArtifact":{"mediaType","digest","size"}}>",
//      "protected": "<base64url of {"alg","cty","crit":["io.cncf.notary.signingScheme"],…}>",
//      "header": {"x5c": ["<base64 DER>", …], "io.cncf.notary.timestampSignature": "<base64 DER>", …},
//      "signature": "<base64url>"}

export const jwsMediaType = "application/jose+json";

/** Signs a payload by the first certificate's key. */
export async function signJws({ payload, signer, chain, at, expires, stamp }: EnvelopeWish): Promise<Uint8Array> {
  const said = {
    alg: signer.algorithm.name,
    cty: notationPayloadType,
    crit: [headers.scheme, ...(expires === undefined ? [] : [headers.expiry])],
    [headers.scheme]: "notary.x509",
    [headers.signingTime]: seconds(at),
    ...(expires && { [headers.expiry]: seconds(expires) }),
  };
  const protectedHeader = base64url(encodeJson(said));
  const body = base64url(payload);
  const signature = await signer.sign(utf8(`${protectedHeader}.${body}`));
  const token = await stamp?.(signature);
  return encodeJson({
    payload: body,
    protected: protectedHeader,
    header: {
      x5c: chain.map(({ raw }) => toBase64(raw)),
      [headers.agent]: "tally",
      ...(token && { [headers.timestamp]: toBase64(token) }),
    },
    signature: base64url(signature),
  });
}

/** Reads an envelope and verifies its signature by its first certificate. Throws `signature-invalid`. */
export function openJws(bytes: Uint8Array): NotationEnvelope {
  const { payload, protected: protectedHeader, header, signature } = objectIn(bytes, "the envelope");
  if (typeof payload !== "string" || typeof protectedHeader !== "string" || typeof signature !== "string") {
    throw bad("the envelope lacks payload, protected header or signature");
  }
  const said = objectIn(fromBase64url(protectedHeader), "the protected header");
  const unsigned = new Map<unknown, unknown>(Object.entries((header ?? {}) as JsonObject));
  requireDisjoint(Object.keys(said), unsigned);
  const x5c = unsigned.get("x5c");
  const chain = readChain(Array.isArray(x5c) ? x5c : [], fromBase64);
  const attributes = readAttributes({
    contentType: said.cty,
    critical: said.crit,
    get: (name) => said[name],
    time: timeIn,
  });
  const signed = fromBase64url(signature);
  requireSignature(joseAlgorithm(said.alg), chain[0]!, utf8(`${protectedHeader}.${payload}`), signed);
  const token = unsigned.get(headers.timestamp);
  const timestamp = token === undefined ? undefined : fromBase64(token);
  if (token !== undefined && timestamp === undefined) throw bad("its timestamp is no base64");
  return Object.freeze({
    ...attributes,
    payload: objectIn(fromBase64url(payload), "the payload"),
    chain,
    signature: signed,
    ...(timestamp && { timestamp }),
  });
}

/** RFC 3339, without fractions, which a signer of the Notary Project writes. */
function seconds(at: Date): string {
  return at.toISOString().replace(/\.\d{3}Z$/, "Z");
}

function timeIn(value: unknown): Date | undefined {
  const isTime = typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value);
  const time = new Date(isTime ? value : Number.NaN);
  return Number.isNaN(time.getTime()) ? undefined : time;
}

function fromBase64(value: unknown): Uint8Array | undefined {
  return typeof value === "string" && /^[A-Za-z0-9+/]*={0,2}$/.test(value) ? Buffer.from(value, "base64") : undefined;
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}

function fromBase64url(text: string): Uint8Array {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw bad("what should be base64url is not");
  return Buffer.from(text, "base64url");
}

function bad(why: string): OciError {
  return new OciError("signature-invalid", why);
}
