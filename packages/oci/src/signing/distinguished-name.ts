import type { X509Certificate } from "node:crypto";
import { OciError } from "../error.ts";
import { readDer, readObjectIdentifier } from "./der.ts";

/** Attributes by their short names, such as `C` and `CN`; each stands once. */
export type DistinguishedName = ReadonlyMap<string, string>;

const shortNames: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.5": "SERIALNUMBER",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.9": "STREET",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "2.5.4.17": "POSTALCODE",
  "0.9.2342.19200300.100.1.1": "UID",
  "0.9.2342.19200300.100.1.25": "DC",
};

/**
 * A certificate's subject. Undefined where an attribute stands twice, or together with another, or is written in another alphabet
 * than UTF-8 or ASCII: then it is not clear what the name says, and it is nobody's.
 */
export function subjectOf(certificate: X509Certificate): DistinguishedName | undefined {
  const [whole] = readDer(certificate.raw);
  const [toBeSigned] = readDer(whole!.content);
  // version [0], serialNumber, signature, issuer, validity, subject
  const fields = readDer(toBeSigned!.content);
  const subject = fields[fields[0]?.tag === 0xa0 ? 5 : 4];
  const name = new Map<string, string>();
  for (const { content: set } of readDer(subject!.content)) {
    const [attribute, ...others] = readDer(set);
    const [type, value] = attribute === undefined ? [] : readDer(attribute.content);
    if (type === undefined || value === undefined || others.length > 0) return undefined;
    const id = readObjectIdentifier(type.content);
    const key = shortNames[id] ?? id;
    // UTF8String, PrintableString, IA5String
    if (name.has(key) || ![0x0c, 0x13, 0x16].includes(value.tag)) return undefined;
    name.set(key, Buffer.from(value.content).toString("utf8"));
  }
  return name;
}

/**
 * Reads a name as RFC 4514 writes it, such as `C=SE, ST=Test, O=Example\, Inc.`: what the Notary Project's trust policy has after
 * `x509.subject:`, and by its rules C, ST and O have to stand in it. Throws `signature-invalid`.
 */
export function parseDistinguishedName(text: string): DistinguishedName {
  const name = new Map<string, string>();
  for (const part of text.split(/(?<!\\),/)) {
    const [, type, value] = /^\s*([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)\s*=\s*(.*?)\s*$/s.exec(part) ?? [];
    if (type === undefined || value === undefined || value === "")
      throw unreadable(text, `${part.trim()} is no attribute`);
    if (/^#|(?<!\\)[+;<>"]|\\(?![ #,+"\\<>;=])/.test(value))
      throw unreadable(text, `${value} is in a form that is not read here`);
    const upper = type.toUpperCase();
    const key = upper === "S" ? "ST" : (shortNames[type] ?? upper);
    if (name.has(key)) throw unreadable(text, `${key} stands in it twice`);
    name.set(key, value.replace(/\\([ #,+"\\<>;=])/g, "$1"));
  }
  const missing = ["C", "ST", "O"].find((key) => !name.has(key));
  if (missing !== undefined) throw unreadable(text, `it lacks ${missing}`);
  return name;
}

/** Whether a certificate's subject has every attribute of that name, with the same value. */
export function hasSubject(certificate: X509Certificate, name: DistinguishedName): boolean {
  const subject = subjectOf(certificate);
  return subject !== undefined && [...name].every(([key, value]) => subject.get(key) === value);
}

function unreadable(text: string, why: string): OciError {
  return new OciError("signature-invalid", `${JSON.stringify(text)} is no name of a signer: ${why}`, {
    hint: 'write it as in "x509.subject: C=US, ST=WA, O=Example, CN=signer"; C, ST and O have to be there',
  });
}
