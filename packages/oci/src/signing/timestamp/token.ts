import { createHash, X509Certificate } from "node:crypto";
import { equalBytes } from "@tally/evidence";
import type { SignedData, SignedDataVerifyResult, SignerInfo, TSTInfo } from "pkijs";
import { OciError } from "../../error.ts";
import { certificatesFromPem, describeCertificate, verifyChain } from "../certificate-chain.ts";
import { readDer, readObjectIdentifier } from "../der.ts";

// An RFC 3161 token: CMS SignedData (RFC 5652) around a TSTInfo. Parsing and signatures are the library's; what has to hold of them
// is checked here.

const oid = {
  signedData: "1.2.840.113549.1.7.2",
  timestampInfo: "1.2.840.113549.1.9.16.1.4",
  contentType: "1.2.840.113549.1.9.3",
  signingCertificateV2: "1.2.840.113549.1.9.16.2.47",
  baselinePolicy: "0.4.0.2023.1.1",
} as const;

const hashes: Readonly<Record<string, string>> = {
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};

/** RSA (whose hash stands apart), RSA with SHA-256, -384, -512, RSASSA-PSS, ECDSA with SHA-256, -384, -512. */
const signatureAlgorithms: readonly string[] = [
  ...["1.2.840.113549.1.1.1", "1.2.840.113549.1.1.11", "1.2.840.113549.1.1.12", "1.2.840.113549.1.1.13"],
  ...["1.2.840.113549.1.1.10", "1.2.840.10045.4.3.2", "1.2.840.10045.4.3.3", "1.2.840.10045.4.3.4"],
];

const largestToken = 1024 * 1024;

/** A time that an authority has signed. The truth lies within `accuracy` of it, says the authority. */
export interface Timestamp {
  readonly time: Date;
  /** Milliseconds. */
  readonly accuracy: number;
  /** The authority's certificate first, up to a trusted one. */
  readonly path: readonly X509Certificate[];
}

/**
 * Verifies an RFC 3161 token over these bytes by an authority whose certificate leads to a trusted one and was valid then (RFC
 * 3161, 2.3 and 2.4.2; RFC 5816). Throws `signature-invalid`.
 */
export async function verifyTimestamp(
  token: Uint8Array,
  signed: Uint8Array,
  trustedCertificatesPem: string,
): Promise<Timestamp> {
  const trusted = certificatesFromPem(trustedCertificatesPem);
  const { info, signer, others } = await openToken(token, signed);
  const path = reading("its authority", () => verifyChain([signer, ...others], trusted, info.genTime, "time stamping"));
  return Object.freeze({ time: info.genTime, accuracy: accuracyOf(info), path });
}

interface OpenToken {
  readonly info: TSTInfo;
  readonly signer: X509Certificate;
  readonly others: readonly X509Certificate[];
}

/** What a token says and by whom, its signature and what it is over verified. */
async function openToken(token: Uint8Array, signed: Uint8Array): Promise<OpenToken> {
  if (token.length > largestToken) throw bad(`has more than ${largestToken} bytes`);
  const { ContentInfo, SignedData, TSTInfo } = await import("pkijs");
  const data = reading("the token", () => {
    const content = ContentInfo.fromBER(Uint8Array.from(token));
    if (content.contentType !== oid.signedData) throw new Error("it is no signed data");
    return new SignedData({ schema: content.content });
  });
  const [signerInfo, ...more] = data.signerInfos;
  if (signerInfo === undefined || more.length > 0) throw bad("has not one signer");
  const { eContentType, eContent } = data.encapContentInfo;
  if (eContentType !== oid.timestampInfo || eContent === undefined) throw bad("holds no timestamp");
  requireKnownAlgorithms(signerInfo);
  const info = reading("what it says", () => TSTInfo.fromBER(eContent.getValue()));
  if (info.version !== 1) throw bad(`is of version ${info.version}`);
  if (hashes[info.messageImprint.hashAlgorithm.algorithmId] === undefined)
    throw bad("is over a hash that is not SHA-2");
  const { signatureVerified, signerCertificate } = await verified(data, signed);
  if (signatureVerified !== true || !signerCertificate) throw bad("does not verify");
  const all = reading("its certificates", () => certificatesIn(token));
  const signer = all.find(({ raw }) => equalBytes(toBeSigned(raw), signerCertificate.tbsView));
  if (signer === undefined) throw bad("lacks its signer's certificate");
  requireNamed(signerInfo, signer);
  return { info, signer, others: all.filter((one) => one !== signer) };
}

/** The certificates' own bytes, which their hashes are over; the library would write them anew. */
function certificatesIn(token: Uint8Array): readonly X509Certificate[] {
  // ContentInfo { type, [0] SignedData { version, digestAlgorithms, encapContentInfo, [0] certificates, … } }
  const [info] = readDer(token);
  const [, explicit] = readDer(info!.content);
  const [signedData] = readDer(explicit!.content);
  const set = readDer(signedData!.content).find(({ tag }) => tag === 0xa0);
  const ders = readDer(set?.content ?? new Uint8Array()).filter(({ tag }) => tag === 0x30);
  if (ders.length > 10) throw new Error("there are too many");
  return ders.map(({ whole }) => new X509Certificate(whole));
}

function toBeSigned(raw: Uint8Array): Uint8Array {
  const [certificate] = readDer(raw);
  return readDer(certificate!.content)[0]!.whole;
}

async function verified(data: SignedData, signed: Uint8Array): Promise<SignedDataVerifyResult> {
  try {
    return await data.verify({ signer: 0, data: Uint8Array.from(signed).buffer, extendedMode: true });
  } catch (cause) {
    throw bad(`does not verify: ${(cause as Error).message}`, cause);
  }
}

function requireKnownAlgorithms({ digestAlgorithm, signatureAlgorithm }: SignerInfo): void {
  if (hashes[digestAlgorithm.algorithmId] === undefined) throw bad("is signed over a hash that is not SHA-2");
  const { algorithmId } = signatureAlgorithm;
  if (!signatureAlgorithms.includes(algorithmId)) throw bad(`is signed by ${algorithmId}, which is not allowed`);
}

/**
 * The signed attributes have to say what they are about and by which certificate (RFC 5652, 11.1; RFC 5816): another certificate
 * for the same key could say other things.
 */
function requireNamed({ signedAttrs }: SignerInfo, certificate: X509Certificate): void {
  const attributeOf = (type: string): Uint8Array => {
    const [attribute, ...more] = signedAttrs?.attributes.filter((one) => one.type === type) ?? [];
    const [value] = attribute?.values ?? [];
    return more.length > 0 || value === undefined ? new Uint8Array() : new Uint8Array(value.toBER());
  };
  const [contentType] = readDer(attributeOf(oid.contentType));
  if (contentType === undefined || readObjectIdentifier(contentType.content) !== oid.timestampInfo) {
    throw bad("is signed as something else than a timestamp");
  }
  // SigningCertificateV2 ::= SEQUENCE { certs SEQUENCE OF SEQUENCE { hashAlgorithm DEFAULT SHA-256, certHash OCTET STRING, … }, … }
  const [whole] = readDer(attributeOf(oid.signingCertificateV2));
  const [certificates] = readDer(whole?.content ?? new Uint8Array());
  const [first] = readDer(certificates?.content ?? new Uint8Array());
  const [head, next] = readDer(first?.content ?? new Uint8Array());
  const isDefault = head?.tag === 0x04;
  const [algorithm] = isDefault || head === undefined ? [] : readDer(head.content);
  const hash = isDefault ? "sha256" : algorithm && hashes[readObjectIdentifier(algorithm.content)];
  const certHash = isDefault ? head : next;
  if (hash === undefined || certHash?.tag !== 0x04) throw bad("does not say by which certificate it is");
  const expected = createHash(hash).update(certificate.raw).digest();
  if (!equalBytes(expected, certHash.content)) throw bad("names another certificate than its signer's");
}

/** Milliseconds. An authority by ETSI's baseline policy that says nothing means a second. */
function accuracyOf({ accuracy, policy }: TSTInfo): number {
  const { seconds = 0, millis = 0, micros = 0 } = accuracy ?? {};
  const said = seconds * 1000 + millis + micros / 1000;
  return said === 0 && policy === oid.baselinePolicy ? 1000 : said;
}

function reading<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw bad(`cannot be believed: ${what}: ${(cause as Error).message}`, cause);
  }
}

function bad(why: string, cause?: unknown): OciError {
  return new OciError("signature-invalid", `its timestamp ${why}`, { cause });
}

/** Who stamped it and when, in words. */
export function describeTimestamp({ time, path }: Timestamp): string {
  return `stamped ${time.toISOString()} by ${describeCertificate(path[0]!)}`;
}
