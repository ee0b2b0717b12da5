import type { X509Certificate } from "node:crypto";
import type { JsonObject } from "@tally/evidence";
import type { CertificateRevocationList } from "pkijs";
import type { Descriptor } from "../../artifact/descriptor.ts";
import { OciError } from "../../error.ts";
import { certificatesFromPem, describeCertificate, verifyChain } from "../certificate-chain.ts";
import { hasSubject, parseDistinguishedName } from "../distinguished-name.ts";
import { NotMade } from "../not-made.ts";
import { checkRevocation } from "../revocation.ts";
import { shown } from "../shown.ts";
import { describeTimestamp, type Timestamp, verifyTimestamp } from "../timestamp/token.ts";
import { coseMediaType, openCose } from "./cose.ts";
import type { NotationEnvelope } from "./envelope.ts";
import { jwsMediaType, openJws } from "./jws.ts";
import { targetOf } from "./target.ts";

/** Whom to believe, with the stores and identities of the Notary Project's trust policy. PEM certificates throughout. */
export interface NotationTrust {
  /** Trust store `ca`: who issues to signers. */
  readonly trustedCertificatesPem?: string;
  /** Trust store `signingAuthority`: who issues to authorities that sign for others and say when. */
  readonly signingAuthoritiesPem?: string;
  /** Trust store `tsa`: who issues to timestamp authorities. Where it is given, a signature by certificate needs a timestamp. */
  readonly timestampAuthoritiesPem?: string;
  /** `x509.subject: C=…, ST=…, O=…`, of which one has to fit; `*` or none: everybody below a trusted certificate. */
  readonly trustedIdentities?: readonly string[];
  /** Where they are given, they have to say of each certificate whether it is revoked. */
  readonly revocationLists?: readonly CertificateRevocationList[];
  /** Now, if not given. */
  readonly at?: Date;
}

/** What was looked at beside signature, artifact and chain. */
export interface NotationCheck {
  readonly name: "time" | "identity" | "revocation";
  readonly result: "good" | "not made";
  readonly message: string;
}

export interface VerifiedNotation {
  /** The signer's certificate first, up to a trusted one. */
  readonly path: readonly X509Certificate[];
  readonly timestamp?: Timestamp;
  readonly checks: readonly NotationCheck[];
}

const largestEnvelope = 4 * 1024 * 1024;

/**
 * Verifies a Notary Project signature: over this very artifact, not expired by its own word, by a certificate that may sign code,
 * leads to a trusted one and was valid when it signed: now, or when a trusted authority stamped or signed it. Throws
 * `signature-invalid`, or NotMade for envelopes of another kind and where the trust is for other signatures.
 */
export async function verifyNotation(
  mediaType: string,
  envelope: Uint8Array,
  subject: Descriptor,
  trust: NotationTrust,
): Promise<VerifiedNotation> {
  const open = { [jwsMediaType]: openJws, [coseMediaType]: openCose }[mediaType];
  if (open === undefined) throw new NotMade(`a Notary Project signature in ${mediaType} is not read here`);
  if (envelope.length > largestEnvelope) throw bad(`the envelope has more than ${largestEnvelope} bytes`);
  const opened = open(envelope);
  const now = trust.at ?? new Date();
  requireTarget(opened.payload, subject);
  if (opened.expires !== undefined && now >= opened.expires) throw bad(`it expired at ${opened.expires.toISOString()}`);
  const signed = opened.scheme === "notary.x509" ? await byCertificate(opened, trust, now) : byAuthority(opened, trust);
  const checks = [signed.time, identityCheck(signed.path[0]!, trust), await revocationCheck(signed, trust, now)];
  const { path, timestamp } = signed;
  return Object.freeze({ path, checks: Object.freeze(checks), ...(timestamp && { timestamp }) });
}

interface Signed {
  readonly path: readonly X509Certificate[];
  readonly time: NotationCheck;
  /** When it is proven to have been signed, where that is. */
  readonly signedAt?: Date;
  readonly timestamp?: Timestamp;
}

/** Scheme notary.x509: all certificates valid now or, where timestamps are asked for, all through the span that the stamp leaves. */
async function byCertificate(opened: NotationEnvelope, trust: NotationTrust, now: Date): Promise<Signed> {
  const { trustedCertificatesPem, timestampAuthoritiesPem } = trust;
  if (trustedCertificatesPem === undefined) throw new NotMade("no trusted certificates were given");
  const trusted = certificatesFromPem(trustedCertificatesPem);
  if (timestampAuthoritiesPem === undefined) {
    const message =
      opened.timestamp === undefined
        ? "certificates are valid now"
        : "certificates are valid now; its timestamp was not asked for";
    return {
      path: verifyChain(opened.chain, trusted, now, "code signing"),
      time: { name: "time", result: "good", message },
    };
  }
  if (opened.timestamp === undefined) throw bad("it has no timestamp");
  const timestamp = await verifyTimestamp(opened.timestamp, opened.signature, timestampAuthoritiesPem);
  const [earliest, latest] = [-1, 1].map((sign) => new Date(timestamp.time.getTime() + sign * timestamp.accuracy));
  verifyChain(opened.chain, trusted, earliest!, "code signing");
  const path = verifyChain(opened.chain, trusted, latest!, "code signing");
  const time = { name: "time", result: "good", message: describeTimestamp(timestamp) } as const;
  return { path, time, signedAt: latest!, timestamp };
}

/** Scheme notary.x509.signingAuthority: the authority itself is trusted to say when it signed, so its certificates hold then. */
function byAuthority(
  { chain, authenticSigningTime }: NotationEnvelope,
  { signingAuthoritiesPem }: NotationTrust,
): Signed {
  if (signingAuthoritiesPem === undefined) {
    throw new NotMade("it is by a signing authority, and no signing authority is trusted");
  }
  const at = authenticSigningTime!;
  const path = verifyChain(chain, certificatesFromPem(signingAuthoritiesPem), at, "code signing");
  return {
    path,
    signedAt: at,
    time: { name: "time", result: "good", message: `its authority says ${at.toISOString()}` },
  };
}

function identityCheck(signer: X509Certificate, { trustedIdentities = ["*"] }: NotationTrust): NotationCheck {
  if (trustedIdentities.includes("*")) {
    return { name: "identity", result: "not made", message: "everybody below a trusted certificate was asked for" };
  }
  const fitting = trustedIdentities.find((identity) => {
    const [, name] = /^x509\.subject:(.*)$/s.exec(identity) ?? [];
    if (name === undefined)
      throw bad(`${identity} is no identity that is known here, such as x509.subject: C=…, ST=…, O=…`);
    return hasSubject(signer, parseDistinguishedName(name));
  });
  if (fitting === undefined) throw bad(`${describeCertificate(signer)} is none of the trusted identities`);
  return { name: "identity", result: "good", message: fitting };
}

async function revocationCheck(
  { path, timestamp, signedAt }: Signed,
  { revocationLists }: NotationTrust,
  now: Date,
): Promise<NotationCheck> {
  if (revocationLists === undefined)
    return { name: "revocation", result: "not made", message: "no revocation list was given" };
  await checkRevocation(path, revocationLists, now, signedAt);
  if (timestamp !== undefined) await checkRevocation(timestamp.path, revocationLists, now);
  return { name: "revocation", result: "good", message: "on no current list of its issuers" };
}

function requireTarget({ targetArtifact }: JsonObject, subject: Descriptor): void {
  const target = targetArtifact as JsonObject | undefined;
  const { mediaType, digest, size } = targetOf(subject);
  if (target?.digest !== digest || target?.mediaType !== mediaType || target?.size !== size) {
    throw bad(`it is about ${shown(target?.digest)}, not about ${String(digest)}`);
  }
}

function bad(why: string): OciError {
  return new OciError("signature-invalid", why);
}
