import type { Digest, Envelope } from "@tally/evidence";
import { type Annotations, type Descriptor, describe, emptyBytes, emptyDescriptor } from "../artifact/descriptor.ts";
import { encodeImageManifest } from "../artifact/manifest.ts";
import type { ArtifactTarget } from "../artifact/transfer.ts";
import { bundleMediaType, parseModelBundle } from "./bundle.ts";

export interface Attachment {
  /** The artifact that the statement is about. */
  readonly subject: Descriptor;
  /** A sigstore bundle with a DSSE envelope. */
  readonly bundle: Uint8Array;
  /** When it was attached; it becomes an annotation, so the same time gives the same digest. */
  readonly created: Date;
}

/**
 * The manifest by which a signature or attestation hangs on an artifact, as cosign 3 writes and reads it: artifact type and
 * single layer are the bundle's media type, the config is empty. Throws `signature-invalid` for what is no bundle.
 */
export function attachmentManifest({ subject, bundle, created }: Attachment): {
  readonly bytes: Uint8Array;
  readonly descriptor: Descriptor;
  readonly layer: Descriptor;
} {
  const { envelope } = parseModelBundle(bundle);
  const layer = describe(bundleMediaType, bundle);
  const { bytes, descriptor } = encodeImageManifest({
    artifactType: bundleMediaType,
    config: emptyDescriptor,
    layers: [layer],
    subject,
    annotations: attachmentAnnotations(envelope, created),
  });
  return { bytes, descriptor, layer };
}

/** Writes the bundle, the empty config and the manifest that ties them to the subject. */
export async function attach(target: ArtifactTarget, attachment: Attachment): Promise<{ digest: Digest }> {
  const { bytes, descriptor, layer } = attachmentManifest(attachment);
  await target.pushBlob(emptyDescriptor, emptyBytes);
  await target.pushBlob(layer, attachment.bundle);
  return target.pushManifest(bytes, descriptor.mediaType);
}

function attachmentAnnotations({ statement }: Envelope, created: Date): Annotations {
  return Object.freeze({
    "dev.sigstore.bundle.content": "dsse-envelope",
    "dev.sigstore.bundle.predicateType": statement.predicateType,
    "org.opencontainers.image.created": created.toISOString().replace(/\.\d{3}Z$/, "Z"),
  });
}
