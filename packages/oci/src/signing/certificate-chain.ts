import { X509Certificate } from "node:crypto";
import { OciError } from "../error.ts";
import { extensionsOf } from "./certificate-extensions.ts";

const codeSigning = "1.3.6.1.5.5.7.3.3";
const anyPurpose = "2.5.29.37.0";
const longestPath = 8;

/**
 * Checks that the first certificate of a chain may sign models at that time and leads to one of the trusted certificates
 * (RFC 5280, section 6, without name constraints and policies: a certificate with critical extensions beyond those read here is
 * refused). Returns the path, the signer's certificate first. Throws `signature-invalid` saying where the path breaks.
 *
 * Revocation lists are not fetched: a chain that is to be distrusted leaves the list of trusted certificates.
 */
export function verifyChain(
  chain: readonly X509Certificate[],
  trusted: readonly X509Certificate[],
  at: Date,
): readonly X509Certificate[] {
  const [leaf] = chain;
  if (leaf === undefined) throw broken("the bundle has no certificate");
  requireSigningUse(leaf);
  requireValidAt(leaf, at);
  const isTrusted = (certificate: X509Certificate) => trusted.some((one) => one.raw.equals(certificate.raw));
  let failure = broken(`nobody trusted has issued ${describe(leaf)}`);
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

function requireSigningUse(leaf: X509Certificate): void {
  const { keyUsage, extendedKeyUsage, unknownCritical } = extensionsOf(leaf);
  requireUnderstood(leaf, unknownCritical);
  if (keyUsage === undefined && extendedKeyUsage === undefined)
    throw broken(`${describe(leaf)} does not say that it may sign`);
  if (keyUsage?.digitalSignature === false) throw broken(`${describe(leaf)} may not make signatures`);
  if (extendedKeyUsage !== undefined && !extendedKeyUsage.some((use) => use === codeSigning || use === anyPurpose)) {
    throw broken(`${describe(leaf)} may not sign code`);
  }
}

/** `below` is how many issuers stand between this one and the signer. */
function requireIssuingUse(issuer: X509Certificate, below: number): void {
  const { keyUsage, basicConstraints, unknownCritical } = extensionsOf(issuer);
  requireUnderstood(issuer, unknownCritical);
  if (basicConstraints?.ca !== true) throw broken(`${describe(issuer)} is no certificate authority`);
  if (keyUsage?.keyCertSign === false) throw broken(`${describe(issuer)} may not issue certificates`);
  if ((basicConstraints.pathLength ?? below) < below)
    throw broken(`${describe(issuer)} may not have so long a chain below it`);
}

function requireUnderstood(certificate: X509Certificate, unknownCritical: readonly string[]): void {
  if (unknownCritical.length === 0) return;
  throw broken(
    `${describe(certificate)} has critical extensions that are not understood: ${unknownCritical.join(", ")}`,
  );
}

function requireValidAt(certificate: X509Certificate, at: Date): void {
  const { validFromDate, validToDate } = certificate;
  if (at < validFromDate || at > validToDate) {
    const period = `${validFromDate.toISOString()} to ${validToDate.toISOString()}`;
    throw broken(`${describe(certificate)} is valid from ${period}, not at ${at.toISOString()}`);
  }
}

function describe(certificate: X509Certificate): string {
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
