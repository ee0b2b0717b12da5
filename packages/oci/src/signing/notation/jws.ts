import { X509Certificate } from "node:crypto";
import { encodeJson, fromUtf8, type JsonObject, parseJson, type Signer, toBase64, utf8 } from "@tally/evidence";
import { OciError } from "../../error.ts";
import { plainEcdsa } from "./ecdsa.ts";
import {
  algorithmNamed,
  expiry,
  type NotationEnvelope,
  notationPayloadType,
  requireSignature,
  requireUnderstood,
  scheme,
  signingTime,
} from "./envelope.ts";

// A Notary Project signature as JWS (notaryproject/specifications, signature-envelope-jws.md), JSON flattened:
//
//     {"payload": "<base64url of {"targetArtifact":{"mediaType","digest","size"}}>",
//      "protected": "<base64url of {"alg","cty","crit":["io.cncf.notary.signingScheme"],…}>",
//      "header": {"x5c": ["<base64 DER>", …], "io.cncf.notary.signingAgent": "…"},
//      "signature": "<base64url>"}

export const jwsMediaType = "application/jose+json";

/** Signs a payload. Throws `signature-invalid` for other keys than P-256 and P-384. */
export async function signJws(
  payload: JsonObject,
  signer: Signer,
  chain: readonly X509Certificate[],
  at: Date,
): Promise<Uint8Array> {
  const { algorithm } = signer.identity;
  const alg = { "p-256": "ES256", "p-384": "ES384" }[algorithm as string];
  if (alg === undefined) {
    throw bad(`Notary Project signatures have no ${algorithm} keys`, "sign with a P-256 or P-384 key");
  }
  const time = at.toISOString().replace(/\.\d{3}Z$/, "Z");
  const header = { alg, cty: notationPayloadType, crit: [scheme], [scheme]: "notary.x509", [signingTime]: time };
  const signed = `${base64url(encodeJson(header))}.${base64url(encodeJson(payload))}`;
  const signature = plainEcdsa(await signer.sign(utf8(signed)), algorithm);
  const [protectedHeader, body] = signed.split(".") as [string, string];
  return encodeJson({
    payload: body,
    protected: protectedHeader,
    header: { x5c: chain.map(({ raw }) => toBase64(raw)), "io.cncf.notary.signingAgent": "tally" },
    signature: base64url(signature),
  });
}

/** Reads an envelope and verifies its signature by its first certificate. Throws `signature-invalid`. */
export function openJws(bytes: Uint8Array): NotationEnvelope {
  const json = objectIn(bytes, "the envelope");
  const { payload, protected: protectedHeader, header, signature } = json;
  if (typeof payload !== "string" || typeof protectedHeader !== "string" || typeof signature !== "string") {
    throw bad("the envelope lacks payload, protected header or signature");
  }
  const { x5c } = (header ?? {}) as JsonObject;
  if (!Array.isArray(x5c) || x5c.length === 0 || x5c.length > 10) throw bad("the envelope has no certificates");
  const chain = x5c.map((item) => certificateOf(item));
  const said = objectIn(fromBase64url(protectedHeader), "the protected header");
  requireUnderstood(said.cty, said[scheme], said.crit);
  const message = utf8(`${protectedHeader}.${payload}`);
  requireSignature(algorithmNamed(said.alg), chain[0]!, message, fromBase64url(signature));
  const until = said[expiry];
  return Object.freeze({
    payload: objectIn(fromBase64url(payload), "the payload"),
    chain,
    ...(until === undefined ? {} : { expires: timeOf(until) }),
  });
}

function certificateOf(item: unknown): X509Certificate {
  try {
    return new X509Certificate(Buffer.from(item as string, "base64"));
  } catch (cause) {
    throw bad("a certificate in it cannot be read", undefined, cause);
  }
}

function timeOf(value: unknown): Date {
  const time = new Date(typeof value === "string" ? value : Number.NaN);
  if (Number.isNaN(time.getTime())) throw bad("its expiry is no time");
  return time;
}

function objectIn(bytes: Uint8Array, what: string): JsonObject {
  try {
    const value = parseJson(fromUtf8(bytes));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  } catch (cause) {
    throw bad(`${what} cannot be read: ${(cause as Error).message}`, undefined, cause);
  }
  throw bad(`${what} is no JSON object`);
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}

function fromBase64url(text: string): Uint8Array {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw bad("what should be base64url is not");
  return Buffer.from(text, "base64url");
}

function bad(why: string, hint?: string, cause?: unknown): OciError {
  return new OciError("signature-invalid", why, { ...(hint !== undefined && { hint }), cause });
}
