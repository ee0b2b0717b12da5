import type { X509Certificate } from "node:crypto";
import {
  type Envelope,
  type PublicIdentity,
  publicIdentity,
  publicIdentityFromPem,
  verifyEnvelope,
} from "@tally/evidence";
import { OciError } from "../error.ts";
import { keyHint, type ModelBundle } from "./bundle.ts";
import { certificatesFromPem, verifyChain } from "./certificate-chain.ts";

/** Whom to believe. A bundle by key needs `publicKeyPem`, one by certificate `trustedCertificatesPem`. */
export interface ModelTrust {
  readonly publicKeyPem?: string;
  readonly trustedCertificatesPem?: string;
  /** When certificates have to be valid; now, if not given. */
  readonly at?: Date;
}

/** Who has signed, and by which certificates it is known. */
export interface BundleSigner {
  readonly signer: PublicIdentity;
  readonly certificates?: readonly X509Certificate[];
}

/** A check that cannot be made with what is at hand. */
export class NotMade extends Error {}

/**
 * Verifies the signature of a bundle alone. Throws `signature-invalid`, or NotMade: for a keyless bundle always, since there is
 * no sigstore trust root to check it with.
 */
export function verifyBundleSignature({ material, envelope }: ModelBundle, trust: ModelTrust): BundleSigner {
  switch (material.kind) {
    case "key": {
      if (trust.publicKeyPem === undefined) throw new NotMade("no public key was given to check it with");
      const signer = publicKeyFrom(trust.publicKeyPem);
      const stated = material.hint ?? keyHint(material.publicKey!.spki);
      if (stated !== keyHint(signer.spki)) throw bad(`it was made with another key, whose hint is ${stated}`);
      requireSigned(envelope, signer);
      return { signer };
    }
    case "certificate": {
      if (trust.trustedCertificatesPem === undefined) throw new NotMade("no trusted certificates were given");
      const trusted = certificatesFromPem(trust.trustedCertificatesPem);
      const certificates = verifyChain(material.chain, trusted, trust.at ?? new Date());
      const signer = publicIdentity(certificates[0]!.publicKey.export({ format: "der", type: "spki" }));
      requireSigned(envelope, signer);
      return { signer, certificates };
    }
    case "sigstore": {
      const claimed = material.certificate.subjectAltName ?? "nobody by name";
      throw new NotMade(`it is a keyless signature, said to be by ${claimed}; that needs a sigstore trust root`);
    }
  }
}

function requireSigned(envelope: Envelope, signer: PublicIdentity): void {
  const isCurve = signer.algorithm.startsWith("p-");
  if (!isCurve) throw bad(`model signing has no ${signer.algorithm} keys`);
  if (verifyEnvelope(envelope, [signer]).length > 0) return;
  const old = envelope.statement.predicateType === "https://model_signing/Digests/v0.1";
  throw bad(
    old ? "it is of the format before 1.0, which signed other bytes; sign the model again" : "it does not verify",
  );
}

/** RFC 7468 allows words before and after the block, and key tools write some. */
function publicKeyFrom(pem: string): PublicIdentity {
  const [block] = /-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/.exec(pem) ?? [];
  return publicIdentityFromPem(block ?? pem);
}

function bad(why: string): OciError {
  return new OciError("signature-invalid", why);
}
