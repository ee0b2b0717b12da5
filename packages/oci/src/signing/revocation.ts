import type { X509Certificate } from "node:crypto";
import type { CertificateRevocationList, RevokedCertificate } from "pkijs";
import { OciError } from "../error.ts";
import { describeCertificate } from "./certificate-chain.ts";
import { extensionsOf } from "./certificate-extensions.ts";
import { NotMade } from "./not-made.ts";

/** MD5 and SHA-1 with RSA, SHA-1 with ECDSA: another list with the same signature can be made. */
const broken: readonly string[] = ["1.2.840.113549.1.1.4", "1.2.840.113549.1.1.5", "1.2.840.10045.4.1"];
const largestList = 64 * 1024 * 1024;
const invalidityDate = "2.5.29.24";

/** Certificate revocation lists out of a file: one in DER, or any number in PEM. Throws `signature-invalid`. */
export async function readRevocationLists(bytes: Uint8Array): Promise<readonly CertificateRevocationList[]> {
  const { CertificateRevocationList } = await import("pkijs");
  if (bytes.length > largestList) throw unreadable(`it has more than ${largestList} bytes`);
  const isDer = bytes[0] === 0x30;
  const text = isDer ? "" : Buffer.from(bytes).toString("latin1");
  const blocks = text.match(/-----BEGIN X509 CRL-----[^-]+-----END X509 CRL-----/g) ?? [];
  const ders = isDer ? [bytes] : blocks.map((block) => Buffer.from(block.replace(/-----[^-]+-----/g, ""), "base64"));
  if (ders.length === 0) throw unreadable("it is neither DER nor PEM");
  return ders.map((der) => {
    try {
      return CertificateRevocationList.fromBER(Uint8Array.from(der));
    } catch (cause) {
      throw unreadable((cause as Error).message, cause);
    }
  });
}

/**
 * Checks that no certificate of a path is revoked, by lists that are at hand (RFC 5280, section 6.3, without delta lists). `signedAt`
 * is when the signature was proven to be there, by a timestamp or a signing authority: a certificate that became invalid only
 * after it counts. Throws `signature-invalid` for a revoked one, and NotMade where for one there is no current list of its issuer's.
 *
 * @param path from the signer's certificate to the trusted one, which is not looked up: who trusts it decides about it
 */
export async function checkRevocation(
  path: readonly X509Certificate[],
  lists: readonly CertificateRevocationList[],
  now: Date,
  signedAt?: Date,
): Promise<void> {
  let missing: string | undefined;
  for (const [i, certificate] of path.slice(0, -1).entries()) {
    const issuer = path[i + 1]!;
    let isCurrent = false;
    for (const list of lists) {
      if (!(await isOf(list, issuer))) continue;
      const entry = entryFor(list, certificate);
      if (entry !== undefined && !isAfter(entry, signedAt)) {
        const when = entry.revocationDate.value.toISOString();
        throw new OciError("signature-invalid", `${describeCertificate(certificate)} was revoked at ${when}`);
      }
      isCurrent ||= isWhole(list) && list.thisUpdate.value <= now && now <= (list.nextUpdate?.value ?? new Date(0));
    }
    if (!isCurrent) missing ??= describeCertificate(certificate);
  }
  if (missing !== undefined) throw new NotMade(`whether ${missing} is revoked no current list of its issuer's says`);
}

/** Whether the issuer has signed the list, and may. */
async function isOf(list: CertificateRevocationList, issuer: X509Certificate): Promise<boolean> {
  if (broken.includes(list.signatureAlgorithm.algorithmId)) return false;
  if (extensionsOf(issuer).keyUsage?.crlSign === false) return false;
  const { Certificate } = await import("pkijs");
  try {
    return await list.verify({ issuerCertificate: Certificate.fromBER(Uint8Array.from(issuer.raw)) });
  } catch {
    return false;
  }
}

/** A list with critical extensions is a part of a list, or of changes, or of several issuers: what is not in it may be elsewhere. */
function isWhole({ crlExtensions }: CertificateRevocationList): boolean {
  return !(crlExtensions?.extensions ?? []).some(({ critical }) => critical);
}

function entryFor(list: CertificateRevocationList, { serialNumber }: X509Certificate): RevokedCertificate | undefined {
  const serial = BigInt(`0x${serialNumber}`);
  return list.revokedCertificates?.find(({ userCertificate }) => {
    const hex = Buffer.from(userCertificate.valueBlock.valueHexView).toString("hex");
    return hex !== "" && BigInt(`0x${hex}`) === serial;
  });
}

/** Whether the certificate was still good when the signature was there: by the date that its issuer names for that alone. */
function isAfter({ crlEntryExtensions }: RevokedCertificate, signedAt: Date | undefined): boolean {
  if (signedAt === undefined) return false;
  const parsed: unknown = crlEntryExtensions?.extensions.find(({ extnID }) => extnID === invalidityDate)?.parsedValue;
  const date = (parsed as { toDate?(): Date } | undefined)?.toDate?.();
  return date !== undefined && signedAt < date;
}

function unreadable(why: string, cause?: unknown): OciError {
  return new OciError("signature-invalid", `it is no certificate revocation list: ${why}`, { cause });
}
