import type { X509Certificate } from "node:crypto";
import { OciError } from "../error.ts";
import { type DerValue, readDer, readObjectIdentifier } from "./der.ts";

/** What a certificate says it may be used for (RFC 5280, section 4.2.1). Node tells only some of it. */
export interface CertificateExtensions {
  /** Absent: any use. */
  readonly keyUsage?: { readonly digitalSignature: boolean; readonly keyCertSign: boolean; readonly crlSign: boolean };
  /** Object identifiers. Absent: any use. */
  readonly extendedKeyUsage?: readonly string[];
  readonly extendedKeyUsageIsCritical: boolean;
  /** Names that the certificates below have to keep to. What they are is not read here. */
  readonly hasNameConstraints: boolean;
  readonly basicConstraints?: { readonly ca: boolean; readonly pathLength?: number };
  /** Critical extensions that are not understood here: RFC 5280 has such a certificate rejected. */
  readonly unknownCritical: readonly string[];
}

const known: Readonly<Record<string, true>> = {
  "2.5.29.14": true, // subjectKeyIdentifier
  "2.5.29.15": true, // keyUsage
  "2.5.29.17": true, // subjectAltName: shown, not matched
  "2.5.29.19": true, // basicConstraints
  "2.5.29.35": true, // authorityKeyIdentifier
  "2.5.29.37": true, // extendedKeyUsage
};

/** Reads the extensions. Throws `signature-invalid` for damaged DER. */
export function extensionsOf(certificate: X509Certificate): CertificateExtensions {
  const [outer] = readDer(certificate.raw);
  const [toBeSigned] = readDer(outer!.content);
  const holder = readDer(toBeSigned!.content).find((value) => value.tag === 0xa3);
  const list = holder === undefined ? [] : readDer(readDer(holder.content)[0]?.content ?? new Uint8Array());
  let extensions: CertificateExtensions = {
    unknownCritical: [],
    extendedKeyUsageIsCritical: false,
    hasNameConstraints: false,
  };
  for (const item of list) {
    const [oid, ...rest] = readDer(item.content);
    const critical = rest[0]?.tag === 0x01 && rest[0].content[0] !== 0;
    const value = rest.at(-1);
    if (oid?.tag !== 0x06 || value?.tag !== 0x04)
      throw new OciError("signature-invalid", "a certificate's extension is damaged");
    const id = readObjectIdentifier(oid.content);
    const [inner] = readDer(value.content);
    if (id === "2.5.29.15") extensions = { ...extensions, keyUsage: readKeyUsage(inner) };
    else if (id === "2.5.29.19") extensions = { ...extensions, basicConstraints: readBasicConstraints(inner) };
    else if (id === "2.5.29.37") {
      extensions = { ...extensions, extendedKeyUsage: readPurposes(inner), extendedKeyUsageIsCritical: critical };
    } else if (id === "2.5.29.30") extensions = { ...extensions, hasNameConstraints: true };
    else if (critical && known[id] === undefined) {
      extensions = { ...extensions, unknownCritical: [...extensions.unknownCritical, id] };
    }
  }
  return extensions;
}

/** BIT STRING: the count of unused bits, then bit 0 (digitalSignature) as the highest, bit 5 keyCertSign, bit 6 cRLSign. */
function readKeyUsage(value: DerValue | undefined): NonNullable<CertificateExtensions["keyUsage"]> {
  const bits = value?.content[1] ?? 0;
  return { digitalSignature: (bits & 0x80) !== 0, keyCertSign: (bits & 0x04) !== 0, crlSign: (bits & 0x02) !== 0 };
}

/** SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER OPTIONAL } */
function readBasicConstraints(value: DerValue | undefined): NonNullable<CertificateExtensions["basicConstraints"]> {
  const parts = value === undefined ? [] : readDer(value.content);
  const ca = parts.some(({ tag, content }) => tag === 0x01 && content[0] !== 0);
  const length = parts.find(({ tag }) => tag === 0x02);
  if (length === undefined) return { ca };
  return { ca, pathLength: length.content.reduce((sum, byte) => sum * 256 + byte, 0) };
}

function readPurposes(value: DerValue | undefined): readonly string[] {
  return value === undefined ? [] : readDer(value.content).map(({ content }) => readObjectIdentifier(content));
}
