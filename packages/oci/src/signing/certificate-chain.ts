import { X509Certificate } from "node:crypto";
import { OciError } from "../error.ts";
import { type CertificateExtensions, extensionsOf } from "./certificate-extensions.ts";

const codeSigning = "1.3.6.1.5.5.7.3.3";
const timeStamping = "1.3.6.1.5.5.7.3.8";
const anyPurpose = "2.5.29.37.0";

/** What the first certificate of a chain is to be for. */
export type ChainPurpose = "model signing" | "code signing" | "time stamping";
const longestPath = 8;

/**
 * Checks that the first certificate of a chain may sign models, or stamp times, at that time and leads to one of the trusted certificates
 * (RFC 5280, section 6, without name constraints and policies: a certificate with critical extensions beyond those read here is
 * refused). Returns the path, the signer's certificate first. Throws `signature-invalid` saying where the path breaks.
 *
 * Revocation is `checkRevocation`'s to judge, by lists that are at hand. Without them a chain that is to be distrusted leaves the
 * list of trusted certificates.
 */
export function verifyChain(
  chain: readonly X509Certificate[],
  trusted: readonly X509Certificate[],
  at: Date,
  purpose: ChainPurpose = "model signing",
): readonly X509Certificate[] {
  const [leaf] = chain;
  if (leaf === undefined) throw broken("the bundle has no certificate");
  requireUse[purpose](leaf);
  requireValidAt(leaf, at);
  const isTrusted = (certificate: X509Certificate) => trusted.some((one) => one.raw.equals(certificate.raw));
  let failure = broken(`nobody trusted has issued ${describeCertificate(leaf)}`);
  // Names decide nothing here: a signer's certificate may carry its issuer's name, so each link is checked by signature.
  function climb(path: readonly X509Certificate[]): readonly X509Certificate[] | undefined {
    const top = path.at(-1)!;
    if (isTrusted(top)) return path;
    if (path.length >= longestPath) return undefined;
    for (const issuer of [...trusted, ...chain]) {
      if (path.some((one) => one.raw.equals(issuer.raw)) || !isIssuedBy(top, issuer)) continue;
      try {
        requireIssuingUse(issuer, path.length - 1);
        requireValidAt(issuer, at);
      } catch (error) {
        failure = error as OciError;
        continue;
      }
      const whole = climb([...path, issuer]);
      if (whole !== undefined) return whole;
    }
    return undefined;
  }
  const path = climb([leaf]);
  if (path === undefined) throw failure;
  return path;
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    return false;
  }
}

const requireUse: Readonly<Record<ChainPurpose, (leaf: X509Certificate) => void>> = {
  // An authority's own certificate counts: a published vector of OpenSSF Model Signing is signed by one.
  "model signing": (leaf) => {
    const { keyUsage, extendedKeyUsage } = understood(leaf);
    if (keyUsage === undefined && extendedKeyUsage === undefined) {
      throw broken(`${describeCertificate(leaf)} does not say that it may sign`);
    }
    requireSignatures(leaf, keyUsage);
    requirePurpose(leaf, extendedKeyUsage, [codeSigning, anyPurpose]);
  },
  // The Notary Project's signature specification, "Certificate Requirements".
  "code signing": (leaf) => {
    const { keyUsage, extendedKeyUsage } = requireNoAuthority(leaf);
    if (keyUsage === undefined) throw broken(`${describeCertificate(leaf)} does not say that it may sign`);
    requireSignatures(leaf, keyUsage);
    requirePurpose(leaf, extendedKeyUsage, [codeSigning]);
  },
  // RFC 3161, 2.3: for nothing but time stamping, and marked so that nobody passes over it.
  "time stamping": (leaf) => {
    const { keyUsage, extendedKeyUsage = [], extendedKeyUsageIsCritical } = requireNoAuthority(leaf);
    requireSignatures(leaf, keyUsage);
    const [purpose, ...others] = extendedKeyUsage;
    if (purpose !== timeStamping || others.length > 0 || !extendedKeyUsageIsCritical) {
      throw broken(`${describeCertificate(leaf)} is not for time stamping alone`);
    }
  },
};

function understood(leaf: X509Certificate): CertificateExtensions {
  const extensions = extensionsOf(leaf);
  requireUnderstood(leaf, extensions);
  return extensions;
}

/** An authority signs certificates and nothing else: its key is for other hands and other times than a signer's. */
function requireNoAuthority(leaf: X509Certificate): CertificateExtensions {
  const extensions = understood(leaf);
  if (extensions.basicConstraints?.ca !== true) return extensions;
  throw broken(`${describeCertificate(leaf)} is a certificate authority's, not a signer's`);
}

function requireSignatures(leaf: X509Certificate, keyUsage: CertificateExtensions["keyUsage"]): void {
  if (keyUsage?.digitalSignature === false) throw broken(`${describeCertificate(leaf)} may not make signatures`);
}

/** Absent: any purpose. */
function requirePurpose(
  leaf: X509Certificate,
  purposes: CertificateExtensions["extendedKeyUsage"],
  allowed: readonly string[],
): void {
  if (purposes === undefined || purposes.some((use) => allowed.includes(use))) return;
  throw broken(`${describeCertificate(leaf)} may not sign code`);
}

/** `below` is how many issuers stand between this one and the signer. */
function requireIssuingUse(issuer: X509Certificate, below: number): void {
  const { keyUsage, basicConstraints } = understood(issuer);
  if (basicConstraints?.ca !== true) throw broken(`${describeCertificate(issuer)} is no certificate authority`);
  if (keyUsage?.keyCertSign === false) throw broken(`${describeCertificate(issuer)} may not issue certificates`);
  if ((basicConstraints.pathLength ?? below) < below)
    throw broken(`${describeCertificate(issuer)} may not have so long a chain below it`);
}

function requireUnderstood(
  certificate: X509Certificate,
  { unknownCritical, hasNameConstraints }: CertificateExtensions,
): void {
  // RFC 5280 has them marked critical; where they are not, passing over them would free the authority of them all the same.
  if (hasNameConstraints)
    throw broken(`${describeCertificate(certificate)} has name constraints, which are not applied here`);
  if (unknownCritical.length === 0) return;
  throw broken(
    `${describeCertificate(certificate)} has critical extensions that are not understood: ${unknownCritical.join(", ")}`,
  );
}

function requireValidAt(certificate: X509Certificate, at: Date): void {
  const { validFromDate, validToDate } = certificate;
  if (at < validFromDate || at > validToDate) {
    const period = `${validFromDate.toISOString()} to ${validToDate.toISOString()}`;
    throw broken(`${describeCertificate(certificate)} is valid from ${period}, not at ${at.toISOString()}`);
  }
}

/** `the certificate of CN=…` */
export function describeCertificate(certificate: X509Certificate): string {
  return `the certificate of ${certificate.subject.replaceAll("\n", ", ") || "nobody by name"}`;
}

function broken(why: string): OciError {
  return new OciError("signature-invalid", why);
}

/** One or more `-----BEGIN CERTIFICATE-----` blocks. Throws `signature-invalid`. */
export function certificatesFromPem(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new OciError("signature-invalid", "expected PEM certificates");
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw new OciError("signature-invalid", "a PEM certificate cannot be read", { cause });
    }
  });
}
