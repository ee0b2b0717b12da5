import { createHash, randomBytes } from "node:crypto";
import { OciError } from "../../error.ts";

const hashOids = {
  sha256: "2.16.840.1.101.3.4.2.1",
  sha384: "2.16.840.1.101.3.4.2.2",
  sha512: "2.16.840.1.101.3.4.2.3",
} as const;

const largestAnswer = 1024 * 1024;
/** Milliseconds that an authority may take. */
const timeout = 30_000;

/**
 * Asks an RFC 3161 authority for a token over these bytes (3.4: over HTTP). Whether it is to be believed is `verifyTimestamp`'s to
 * say. Throws `unreachable` where nobody answers, and `signature-invalid` for an answer that is no token.
 */
export async function requestTimestamp(
  url: string,
  signed: Uint8Array,
  hash: keyof typeof hashOids,
): Promise<Uint8Array> {
  const [{ Integer, OctetString }, { AlgorithmIdentifier, MessageImprint, TimeStampReq, TimeStampResp }] =
    await Promise.all([import("asn1js"), import("pkijs")]);
  const request = new TimeStampReq({
    version: 1,
    messageImprint: new MessageImprint({
      hashAlgorithm: new AlgorithmIdentifier({ algorithmId: hashOids[hash] }),
      hashedMessage: new OctetString({ valueHex: createHash(hash).update(signed).digest() }),
    }),
    // Its first bit is 0, so that it is a positive number; so a second answer to the same request can be told apart.
    nonce: new Integer({ valueHex: randomBytes(16).fill(0x01, 0, 1) }),
    certReq: true,
  });
  const answer = await post(url, Buffer.from(request.toSchema().toBER()));
  const response = reading(url, () => TimeStampResp.fromBER(answer));
  const { status } = response.status;
  if (status !== 0 && status !== 1) throw refused(url, `refused with status ${status}`);
  if (response.timeStampToken === undefined) throw refused(url, "sent no token");
  return new Uint8Array(response.timeStampToken.toSchema().toBER());
}

async function post(url: string, body: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const headers = { "content-type": "application/timestamp-query", accept: "application/timestamp-reply" };
  let response: Response;
  try {
    const signal = AbortSignal.timeout(timeout);
    response = await fetch(url, { method: "POST", headers, body, redirect: "error", signal });
  } catch (cause) {
    const why = (cause as Error & { cause?: Error }).cause?.message ?? (cause as Error).message;
    throw new OciError("unreachable", `${url} gave no timestamp: ${why}`, { cause, hint: "check the URL" });
  }
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    parts.push(part);
    length += part.length;
    if (length > largestAnswer) throw refused(url, `sent more than ${largestAnswer} bytes`);
  }
  if (!response.ok) throw refused(url, `answered ${response.status}`);
  return Uint8Array.from(Buffer.concat(parts));
}

function reading<T>(url: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw refused(url, `sent what is no timestamp: ${(cause as Error).message}`, cause);
  }
}

function refused(url: string, why: string, cause?: unknown): OciError {
  return new OciError("signature-invalid", `${url} gave no timestamp: it ${why}`, {
    cause,
    hint: "give the URL of an RFC 3161 timestamp authority",
  });
}
