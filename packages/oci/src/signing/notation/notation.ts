import type { X509Certificate } from "node:crypto";
import { createHash } from "node:crypto";
import { type Digest, equalBytes, type JsonObject, type Signer } from "@tally/evidence";
import { type Descriptor, describe, emptyBytes, emptyDescriptor } from "../../artifact/descriptor.ts";
import { encodeImageManifest } from "../../artifact/manifest.ts";
import type { ArtifactTarget } from "../../artifact/transfer.ts";
import { OciError } from "../../error.ts";
import { certificatesFromPem, verifyChain } from "../certificate-chain.ts";
import { NotMade } from "../verify-signature.ts";
import { coseMediaType, openCose } from "./cose.ts";
import { jwsMediaType, openJws, signJws } from "./jws.ts";

/** The artifact type of Notary Project signatures. */
export const notationType = "application/vnd.cncf.notary.signature";

export interface NotationOptions {
  readonly signer: Signer;
  /** PEM certificates, the signer's first and its self-signed root last. */
  readonly certificateChainPem: string;
  /** When it is signed, as the signer says. */
  readonly at: Date;
}

/** Signs an artifact as `notation sign` does, in JWS. Throws `signature-invalid` for a chain that is not the key's. */
export async function signNotation(subject: Descriptor, options: NotationOptions): Promise<Uint8Array> {
  const chain = certificatesFromPem(options.certificateChainPem);
  const { signer, at } = options;
  if (!equalBytes(chain[0]!.publicKey.export({ format: "der", type: "spki" }), signer.identity.spki)) {
    throw new OciError("signature-invalid", "the first certificate is not for the signing key");
  }
  const root = chain.at(-1)!;
  if (!root.verify(root.publicKey)) {
    throw new OciError("signature-invalid", "the last certificate is no root", {
      hint: "Notary Project signatures carry the whole chain: add the issuers up to the self-signed one",
    });
  }
  return signJws({ targetArtifact: targetOf(subject) }, signer, chain, at);
}

/** Hangs a signature on its artifact, where notation looks for it. */
export async function attachNotation(
  target: ArtifactTarget,
  attachment: { readonly subject: Descriptor; readonly envelope: Uint8Array; readonly created: Date },
): Promise<{ digest: Digest }> {
  const { subject, envelope, created } = attachment;
  const thumbprints = openJws(envelope).chain.map(({ raw }) => createHash("sha256").update(raw).digest("hex"));
  const layer = describe(jwsMediaType, envelope);
  const { bytes, descriptor } = encodeImageManifest({
    artifactType: notationType,
    config: emptyDescriptor,
    layers: [layer],
    subject,
    annotations: {
      "io.cncf.notary.x509chain.thumbprint#S256": JSON.stringify(thumbprints),
      "org.opencontainers.image.created": created.toISOString().replace(/\.\d{3}Z$/, "Z"),
    },
  });
  await target.pushBlob(emptyDescriptor, emptyBytes);
  await target.pushBlob(layer, envelope);
  return target.pushManifest(bytes, descriptor.mediaType);
}

/**
 * Verifies a Notary Project signature: over this very artifact, by a certificate that may sign code and leads to a trusted one,
 * all valid at that time, and not expired by its own word. Returns the path, the signer's certificate first. Throws
 * `signature-invalid`, or NotMade for envelopes of another kind and where no certificate is trusted.
 */
export function verifyNotation(
  mediaType: string,
  envelope: Uint8Array,
  subject: Descriptor,
  trust: { readonly trustedCertificatesPem?: string; readonly at?: Date },
): readonly X509Certificate[] {
  const open = { [jwsMediaType]: openJws, [coseMediaType]: openCose }[mediaType];
  if (open === undefined) throw new NotMade(`a Notary Project signature in ${mediaType} is not read here`);
  if (trust.trustedCertificatesPem === undefined) throw new NotMade("no trusted certificates were given");
  const { payload, chain, expires } = open(envelope);
  const at = trust.at ?? new Date();
  const path = verifyChain(chain, certificatesFromPem(trust.trustedCertificatesPem), at);
  if (expires !== undefined && at >= expires) {
    throw new OciError("signature-invalid", `it expired at ${expires.toISOString()}`);
  }
  const target = payload.targetArtifact as JsonObject | undefined;
  const { mediaType: type, digest, size } = targetOf(subject);
  if (target?.digest !== digest || target?.mediaType !== type || target?.size !== size) {
    throw new OciError("signature-invalid", `it is about ${String(target?.digest)}, not about ${String(digest)}`);
  }
  return path;
}

function targetOf({ mediaType, digest, size }: Descriptor): JsonObject {
  return { mediaType, digest, size };
}
