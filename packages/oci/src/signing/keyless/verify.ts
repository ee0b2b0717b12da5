import type { X509Certificate } from "node:crypto";
import type { TrustedRoot } from "@sigstore/protobuf-specs";
import { type JsonObject, type PublicIdentity, parseJson } from "@tally/evidence";
import { OciError } from "../../error.ts";
import { certifier } from "./certified.ts";

/** Who is to have signed, and which authorities and logs are believed about it. */
export interface KeylessTrust {
  readonly root: TrustedRoot;
  /** The certificate's subject alternative name, exactly: an e-mail address or a URI. */
  readonly identity: string;
  /** Who vouched for it: the URL of the OpenID Connect issuer, exactly. */
  readonly issuer: string;
}

/**
 * Verifies a keyless bundle: all of sigstore's proofs hold (`certifier`), and the signer is who was asked for, by the whole of their
 * name. Throws `signature-invalid`.
 */
export async function verifyKeyless(
  bytes: Uint8Array,
  { subjectAltName }: X509Certificate,
  { root, identity, issuer }: KeylessTrust,
): Promise<PublicIdentity> {
  const { certified } = await certifier();
  const made = certified(parseJson(bytes) as JsonObject, root);
  const why =
    made.identity !== identity
      ? `expected ${identity}, got ${made.identity}`
      : made.issuer !== issuer
        ? `expected issuer=${issuer}, got issuer=${made.issuer}`
        : undefined;
  if (why === undefined) return made.signer;
  const by = subjectAltName ?? "nobody by name";
  throw new OciError("signature-invalid", `it is signed by ${by}, not by ${identity} of ${issuer}: ${why}`);
}
