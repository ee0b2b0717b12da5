import type { X509Certificate } from "node:crypto";
import {
  type JsonObject,
  type PublicIdentity,
  publicIdentity,
  publicIdentityFromPem,
  type SignedPayload,
  type Trust,
  type TrustedIdentity,
  verifyEnvelope,
} from "@tally/evidence";
import { OciError } from "../error.ts";
import { hintNames, type SigstoreBundle } from "./bundle.ts";
import { certificatesFromPem, verifyChain } from "./certificate-chain.ts";
import { keylessSigners } from "./keyless/signers.ts";
import { type KeylessTrust, verifyKeyless } from "./keyless/verify.ts";
import { NotMade } from "./not-made.ts";

/** Whom a trust file knows. */
export type TrustedSigners = Pick<Trust, "identities" | "keyless" | "trustRoots">;

/** Whom to believe. A bundle by key needs `publicKeyPem`, one by certificate `trustedCertificatesPem`, a keyless one `keyless`. */
export interface ModelTrust {
  readonly publicKeyPem?: string;
  readonly trustedCertificatesPem?: string;
  readonly keyless?: KeylessTrust;
  /** Or anyone of a trust file, by key or keyless; what they may sign, and when, is the caller's to judge. */
  readonly trusted?: TrustedSigners;
  /** When certificates have to be valid; now, if not given. A keyless one has to be when the log saw the signature. */
  readonly at?: Date;
}

/** Who has signed, and by which certificates or whose word it is known. */
export interface BundleSigner {
  readonly signer: PublicIdentity;
  readonly certificates?: readonly X509Certificate[];
  readonly keyless?: Pick<KeylessTrust, "identity" | "issuer">;
  /** Where a trust file was given: who of it has signed, and by which of its rules. */
  readonly by?: readonly TrustedIdentity[];
}

/** Verifies the signature of a bundle alone. Throws `signature-invalid`, or NotMade where the trust is for another kind. */
export async function verifyBundleSignature(
  { bytes, material }: SigstoreBundle,
  envelope: SignedPayload,
  trust: ModelTrust,
): Promise<BundleSigner> {
  switch (material.kind) {
    case "key": {
      if (trust.publicKeyPem === undefined && trust.trusted !== undefined) {
        const { hint, publicKey } = material;
        const by = verifyEnvelope(envelope, trust.trusted.identities).filter(({ spki, keyId }) =>
          hint === undefined ? publicKey!.keyId === keyId : hintNames(hint, spki),
        );
        if (by.length === 0)
          throw bad(`nobody of the trust file signed it; its key's hint is ${hint ?? publicKey!.keyId}`);
        requireSigned(envelope, by[0]!);
        return { signer: by[0]!, by };
      }
      if (trust.publicKeyPem === undefined) throw new NotMade("no public key was given to check it with");
      const signer = publicKeyFrom(trust.publicKeyPem);
      const { hint, publicKey } = material;
      const names = hint === undefined ? publicKey!.keyId === signer.keyId : hintNames(hint, signer.spki);
      if (!names) throw bad(`it was made with another key, whose hint is ${hint ?? publicKey!.keyId}`);
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
      const { certificate } = material;
      const claimed = certificate.subjectAltName ?? "nobody by name";
      if (trust.keyless === undefined && trust.trusted !== undefined) {
        const { signers: by, why } = await keylessSigners(withMaterial(envelope, material.json), trust.trusted);
        const [first] = by;
        if (first === undefined)
          throw bad(`nobody of the trust file signed it; ${why ?? `it claims to be by ${claimed}`}`);
        return { signer: first, keyless: { identity: first.identity, issuer: first.issuer }, by };
      }
      if (trust.keyless === undefined)
        throw new NotMade(`it is a keyless signature, said to be by ${claimed}; that needs a sigstore trust root`);
      if (envelope.signatures.length !== 1) throw bad("a keyless bundle has one signature");
      const signer = await verifyKeyless(bytes, certificate, trust.keyless);
      const { identity, issuer } = trust.keyless;
      return { signer, keyless: { identity, issuer } };
    }
  }
}

function withMaterial(envelope: SignedPayload, json: JsonObject): SignedPayload {
  return { ...envelope, signatures: envelope.signatures.map((one) => ({ ...one, verificationMaterial: json })) };
}

function requireSigned(envelope: SignedPayload, signer: PublicIdentity): void {
  const isCurve = signer.algorithm.startsWith("p-");
  if (!isCurve) throw bad(`model signing has no ${signer.algorithm} keys`);
  if (verifyEnvelope(envelope, [signer]).length > 0) return;
  const old = new TextDecoder().decode(envelope.payload).includes('"https://model_signing/Digests/v0.1"');
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
