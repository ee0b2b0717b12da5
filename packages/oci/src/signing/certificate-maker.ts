// Makes certificates for the tests of chains: X.509 v3 in DER, signed with P-256, with whatever extensions a test needs.

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  X509Certificate,
} from "node:crypto";

export interface Maker {
  readonly name: string;
  readonly key: KeyObject;
  readonly certificate: X509Certificate;
}

export interface CertificateWish {
  /** The common name, or a whole subject such as `C=SE, ST=Test, O=Example, CN=signer`. */
  readonly name: string;
  /** Itself, if not given. */
  readonly issuer?: Pick<Maker, "name" | "key">;
  readonly from?: string;
  readonly until?: string;
  readonly ca?: boolean;
  readonly pathLength?: number;
  /** The first byte of the key usage's bits: 0x80 digitalSignature, 0x04 keyCertSign. */
  readonly keyUsage?: number;
  readonly purposes?: readonly string[];
  /** The purposes are marked critical. */
  readonly purposesAreCritical?: boolean;
  /** An extension of this object identifier, marked critical. */
  readonly critical?: string;
  /** Certificates below are held to names below example.org; not marked critical. */
  readonly nameConstraints?: boolean;
  /** Of RSA, with so many bits; else P-256. */
  readonly rsaBits?: number;
}

export const codeSigning = "1.3.6.1.5.5.7.3.3";
export const serverAuthentication = "1.3.6.1.5.5.7.3.1";
export const timeStamping = "1.3.6.1.5.5.7.3.8";

export function makeCertificate(wish: CertificateWish): Maker {
  const { privateKey } =
    wish.rsaBits === undefined
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : generateKeyPairSync("rsa", { modulusLength: wish.rsaBits });
  const key = createPrivateKey(privateKey.export({ format: "pem", type: "pkcs8" }));
  const issuer = wish.issuer ?? { name: wish.name, key };
  const ecdsaWithSha256 = der(0x30, oid("1.2.840.10045.4.3.2"));
  const validity = der(0x30, time(wish.from ?? "2020-01-01"), time(wish.until ?? "2099-01-01"));
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  const toBeSigned = der(
    0x30,
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, Buffer.from(crypto.getRandomValues(new Uint8Array(8)).with(0, 1))),
    ecdsaWithSha256,
    name(issuer.name),
    validity,
    name(wish.name),
    spki,
    der(0xa3, der(0x30, ...extensions(wish))),
  );
  const signature = sign("sha256", toBeSigned, issuer.key);
  const raw = der(0x30, toBeSigned, ecdsaWithSha256, der(0x03, Buffer.of(0), signature));
  return { name: wish.name, key, certificate: new X509Certificate(raw) };
}

function extensions(wish: CertificateWish): Buffer[] {
  const { ca, pathLength, keyUsage, purposes, purposesAreCritical = false, critical, nameConstraints } = wish;
  const list: Buffer[] = [];
  if (ca !== undefined) {
    const length = pathLength === undefined ? [] : [der(0x02, Buffer.of(pathLength))];
    list.push(extension("2.5.29.19", true, der(0x30, ...(ca ? [der(0x01, Buffer.of(0xff))] : []), ...length)));
  }
  if (keyUsage !== undefined) list.push(extension("2.5.29.15", true, der(0x03, Buffer.of(0, keyUsage))));
  if (purposes !== undefined) list.push(extension("2.5.29.37", purposesAreCritical, der(0x30, ...purposes.map(oid))));
  if (critical !== undefined) list.push(extension(critical, true, der(0x05)));
  if (nameConstraints) {
    const permitted = der(0xa0, der(0x30, der(0x82, Buffer.from("example.org"))));
    list.push(extension("2.5.29.30", false, der(0x30, permitted)));
  }
  return list;
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return der(0x30, oid(id), ...(critical ? [der(0x01, Buffer.of(0xff))] : []), der(0x04, value));
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content]);
  if (length < 0x100) return Buffer.concat([Buffer.of(tag, 0x81, length), content]);
  return Buffer.concat([Buffer.of(tag, 0x82, length >> 8, length & 0xff), content]);
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const number of rest) {
    const septets = [number & 0x7f];
    for (let left = number >> 7; left > 0; left >>= 7) septets.unshift((left & 0x7f) | 0x80);
    bytes.push(...septets);
  }
  return der(0x06, Buffer.from(bytes));
}

function name(text: string): Buffer {
  const parts = text.includes("=") ? text.split(", ").map((part) => part.split("=")) : [["CN", text]];
  return der(
    0x30,
    ...parts.map(([key, value]) => der(0x31, der(0x30, oid(names[key!]!), der(0x0c, Buffer.from(value!))))),
  );
}

const names: Readonly<Record<string, string>> = {
  CN: "2.5.4.3",
  C: "2.5.4.6",
  ST: "2.5.4.8",
  O: "2.5.4.10",
  OU: "2.5.4.11",
};

function time(day: string): Buffer {
  return der(0x18, Buffer.from(`${day.replaceAll("-", "")}000000Z`));
}
