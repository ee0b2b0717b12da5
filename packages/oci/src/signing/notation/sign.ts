import { createHash, type X509Certificate } from "node:crypto";
import { type Digest, encodeJson, equalBytes } from "@tally/evidence";
import { type Descriptor, describe, emptyBytes, emptyDescriptor } from "../../artifact/descriptor.ts";
import { encodeImageManifest } from "../../artifact/manifest.ts";
import type { ArtifactTarget } from "../../artifact/transfer.ts";
import { OciError } from "../../error.ts";
import { certificatesFromPem } from "../certificate-chain.ts";
import { requestTimestamp } from "../timestamp/request.ts";
import { verifyTimestamp } from "../timestamp/token.ts";
import { coseMediaType, openCose, signCose } from "./cose.ts";
import { jwsMediaType, openJws, signJws } from "./jws.ts";
import type { NotationSigner } from "./signer.ts";
import { targetOf } from "./target.ts";

/** The artifact type of Notary Project signatures. */
export const notationType = "application/vnd.cncf.notary.signature";

/** How the envelope is written, by notation's names. */
export type NotationFormat = "jws" | "cose";

export interface NotationOptions {
  readonly signer: NotationSigner;
  /** PEM certificates, the signer's first and its self-signed root last, each issued by the next. */
  readonly certificateChainPem: string;
  readonly format: NotationFormat;
  /** When it is signed, as the signer says. */
  readonly at: Date;
  /** When the signature is to count no longer. */
  readonly expires?: Date;
  readonly timestamp?: {
    /** Of an RFC 3161 authority. */
    readonly url: string;
    /** Whose stamps are believed; another one is refused at once. */
    readonly trustedCertificatesPem: string;
  };
}

/** An envelope as it lies in the registry. */
export interface NotationSignature {
  readonly mediaType: string;
  readonly envelope: Uint8Array;
}

/** Signs an artifact as `notation sign` does. Throws `signature-invalid` for a chain that is not the key's, or not whole. */
export async function signNotation(subject: Descriptor, options: NotationOptions): Promise<NotationSignature> {
  const { signer, format, at, expires, timestamp } = options;
  const chain = certificatesFromPem(options.certificateChainPem);
  requireWhole(chain, signer.spki);
  if (expires !== undefined && expires <= at) throw bad("it would expire before it is signed");
  async function stamp(signature: Uint8Array): Promise<Uint8Array> {
    const token = await requestTimestamp(timestamp!.url, signature, signer.algorithm.hash);
    await verifyTimestamp(token, signature, timestamp!.trustedCertificatesPem);
    return token;
  }
  const payload = encodeJson({ targetArtifact: targetOf(subject) });
  const wish = { payload, signer, chain, at, ...(expires && { expires }), ...(timestamp && { stamp }) };
  return format === "jws"
    ? { mediaType: jwsMediaType, envelope: await signJws(wish) }
    : { mediaType: coseMediaType, envelope: await signCose(wish) };
}

/** Hangs a signature on its artifact, where notation looks for it. */
export async function attachNotation(
  target: ArtifactTarget,
  attachment: { readonly subject: Descriptor; readonly signature: NotationSignature; readonly created: Date },
): Promise<{ digest: Digest }> {
  const { subject, signature, created } = attachment;
  const { mediaType, envelope } = signature;
  const { chain } = mediaType === coseMediaType ? openCose(envelope) : openJws(envelope);
  const thumbprints = chain.map(({ raw }) => createHash("sha256").update(raw).digest("hex"));
  const layer = describe(mediaType, envelope);
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

/** Verifiers of the Notary Project take no chain that is out of order or that ends below its root. */
function requireWhole(chain: readonly X509Certificate[], spki: Uint8Array): void {
  if (!equalBytes(chain[0]!.publicKey.export({ format: "der", type: "spki" }), spki)) {
    throw bad("the first certificate is not for the signing key", "put the signer's certificate first");
  }
  for (const [i, certificate] of chain.entries()) {
    const issuer = chain[i + 1] ?? certificate;
    if (certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)) continue;
    if (issuer === certificate) {
      throw bad(
        "the last certificate is no root",
        "add the issuers up to the self-signed one: the whole chain is carried",
      );
    }
    throw bad(
      `certificate ${i + 2} of the chain did not issue the one before it`,
      "order them from the signer to the root",
    );
  }
}

function bad(why: string, hint?: string): OciError {
  return new OciError("signature-invalid", why, { ...(hint !== undefined && { hint }) });
}
