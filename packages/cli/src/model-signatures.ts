import { type Digest, modelSignatureType } from "@tally/evidence";
import { bundleMediaType, type RegistryClient } from "@tally/oci";

const mostSignatures = 64;
const largestSignature = 64 * 1024 * 1024;

/**
 * The sigstore bundles that hang on a manifest as signatures of a model's files, unverified: the first 64 of at most 64 MiB. Other
 * statements hang there too, however many; who lies in an annotation hides only their own.
 */
export async function* modelSignatures(source: RegistryClient, manifest: Digest): AsyncGenerator<Uint8Array> {
  let count = 0;
  for await (const { digest, annotations } of source.referrers(manifest, bundleMediaType)) {
    const type = annotations?.["dev.sigstore.bundle.predicateType"];
    if (type !== undefined && type !== modelSignatureType) continue;
    if (++count > mostSignatures) return;
    const { manifest: attached } = await source.resolve(digest);
    const layer = attached.kind === "image" ? attached.layers[0] : undefined;
    if (layer !== undefined && layer.size <= largestSignature) {
      yield Buffer.concat(await Array.fromAsync(source.blob(layer)));
    }
  }
}
