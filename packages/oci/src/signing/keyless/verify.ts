import type { X509Certificate } from "node:crypto";
import type { TrustedRoot } from "@sigstore/protobuf-specs";
import { type PublicIdentity, publicIdentity } from "@tally/evidence";
import { OciError } from "../../error.ts";

/** Who is to have signed, and which authorities and logs are believed about it. */
export interface KeylessTrust {
  readonly root: TrustedRoot;
  /** The certificate's subject alternative name, exactly: an e-mail address or a URI. */
  readonly identity: string;
  /** Who vouched for it: the URL of the OpenID Connect issuer, exactly. */
  readonly issuer: string;
}

/**
 * Verifies a keyless bundle by the sigstore client's recipe: the certificate leads to a trusted authority and was logged (SCT), a
 * trusted log holds this very signature and says when, the certificate was valid then, the signature is over the envelope, and
 * the signer is who was asked for. Throws `signature-invalid`.
 */
export async function verifyKeyless(
  bytes: Uint8Array,
  certificate: X509Certificate,
  { root, identity, issuer }: KeylessTrust,
): Promise<PublicIdentity> {
  const [{ bundleFromJSON }, { toSignedEntity, toTrustMaterial, Verifier }] = await Promise.all([
    import("@sigstore/bundle"),
    import("@sigstore/verify"),
  ]);
  try {
    const bundle = bundleFromJSON(JSON.parse(new TextDecoder().decode(bytes)));
    const verifier = new Verifier(toTrustMaterial(root), {
      tlogThreshold: 1,
      ctlogThreshold: 1,
      timestampThreshold: 1,
    });
    // A text would be taken for a pattern that may match anywhere.
    const subjectAlternativeName = new RegExp(`^${RegExp.escape(identity)}$`);
    verifier.verify(toSignedEntity(bundle), { subjectAlternativeName, extensions: { issuer } });
  } catch (cause) {
    throw new OciError("signature-invalid", describe(cause, identity, issuer, certificate), { cause });
  }
  return publicIdentity(certificate.publicKey.export({ format: "der", type: "spki" }));
}

function describe(cause: unknown, identity: string, issuer: string, { subjectAltName }: X509Certificate): string {
  const { message, code } = cause as { message: string; code?: string };
  if (code !== "UNTRUSTED_SIGNER_ERROR") return `it does not verify: ${message}`;
  return `it is signed by ${subjectAltName ?? "nobody by name"}, not by ${identity} of ${issuer}: ${message}`;
}
