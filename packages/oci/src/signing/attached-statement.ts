import {
  type Digest,
  type EnvelopeSignature,
  fromBase64,
  fromUtf8,
  isDigest,
  type JsonObject,
  type JsonValue,
  makeStatement,
  parseJson,
  payloadType,
  type SignedPayload,
  type Statement,
} from "@tally/evidence";
import { OciError } from "../error.ts";
import { parseBundle, parseModelBundle } from "./bundle.ts";
import { shown } from "./shown.ts";
import { type BundleSigner, type ModelTrust, verifyBundleSignature } from "./verify-signature.ts";

/** The predicate by which cosign 3 signs an artifact and says nothing more about it. */
export const containerSignatureType = "https://sigstore.dev/cosign/sign/v1";

/** The statement that signs an artifact. */
export function containerSignatureStatement(artifact: Digest): Statement {
  return makeStatement([{ digest: artifact }], containerSignatureType, {});
}

/** What a verified attachment says. */
export interface AttachedStatement extends BundleSigner {
  readonly predicateType: string;
  readonly predicate: JsonObject;
  /** Its digest as a statement, which a log may hold; left out where it is none of version 1. */
  readonly envelope?: Digest;
}

/**
 * Verifies a sigstore bundle that hangs on an artifact: its signature, that it is an in-toto statement (version 1, or 0.1, which
 * cosign 3 still attests with), and that the artifact is one of its subjects. What it says of the artifact is the caller's to judge.
 * Throws `signature-invalid`, or NotMade where the trust is for another kind of signature.
 */
export async function verifyAttachment(
  bytes: Uint8Array,
  artifact: Digest,
  trust: ModelTrust,
): Promise<AttachedStatement> {
  const bundle = parseBundle(bytes);
  const signed = readEnvelope(bundle.dsseEnvelope);
  const signer = await verifyBundleSignature(bundle, signed, trust);
  const { subjects, predicateType, predicate } = readStatement(signed.payload);
  if (!subjects.includes(artifact))
    throw bad(`it is about ${shown(subjects.join(", ") || "nothing")}, not about ${artifact}`);
  const envelope = envelopeDigest(bytes);
  return Object.freeze({ ...signer, predicateType, predicate, ...(envelope === undefined ? {} : { envelope }) });
}

function envelopeDigest(bytes: Uint8Array): Digest | undefined {
  try {
    return parseModelBundle(bytes).envelope.digest;
  } catch (error) {
    if (error instanceof OciError) return undefined;
    throw error;
  }
}

/** A DSSE envelope around in-toto JSON of whatever version. */
function readEnvelope({ payload, payloadType: type, signatures }: JsonObject): SignedPayload {
  if (type !== payloadType) throw bad(`the envelope holds ${shown(type)}, not ${payloadType}`);
  if (typeof payload !== "string" || !Array.isArray(signatures)) throw bad("the envelope lacks payload or signatures");
  return { payload: base64(payload, "payload"), payloadType: type, signatures: signatures.map(readSignature) };
}

function readSignature(value: JsonValue): EnvelopeSignature {
  const { sig, keyid } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  if (typeof sig !== "string") throw bad("a signature has no sig");
  return { keyId: typeof keyid === "string" ? keyid : "", signature: base64(sig, "sig") };
}

const statementTypes: readonly unknown[] = ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"];

function readStatement(payload: Uint8Array) {
  const json = reading("the statement", () => parseJson(fromUtf8(payload))) as JsonObject;
  const { _type, subject, predicateType, predicate } = json ?? {};
  if (!statementTypes.includes(_type)) throw bad(`${shown(_type)} is no type of in-toto statement`);
  if (!Array.isArray(subject) || typeof predicateType !== "string") throw bad("the statement lacks subject or type");
  const digests = subject.map((item: JsonValue) => {
    const sha256 = ((item as JsonObject | null)?.digest as JsonObject | undefined)?.sha256;
    return `sha256:${typeof sha256 === "string" ? sha256 : ""}`;
  });
  const isObject = typeof predicate === "object" && predicate !== null && !Array.isArray(predicate);
  return {
    subjects: digests.filter((digest): digest is Digest => isDigest(digest)),
    predicateType,
    predicate: isObject ? (predicate as JsonObject) : {},
  };
}

function base64(text: string, name: string): Uint8Array {
  return reading(name, () => fromBase64(text));
}

function reading<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new OciError("signature-invalid", `${what} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

function bad(why: string): OciError {
  return new OciError("signature-invalid", why);
}
