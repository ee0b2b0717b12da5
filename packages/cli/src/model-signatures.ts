import { type Digest, EvidenceError, modelSignatureType } from "@tally/evidence";
import { bundleMediaType, OciError, type RegistryClient } from "@tally/oci";

/** Whoever may push may attach more than anybody can look at. */
const most = { signatures: 1_000, bytes: 512 * 1024 * 1024 };
const largestSignature = 64 * 1024 * 1024;

/**
 * The sigstore bundles that hang on a manifest as signatures of a model's files, unverified: the first thousand of at most 64 MiB,
 * together at most 512 MiB. Other statements hang there too, however many; who lies in an annotation, or attaches what is not there,
 * hides only their own.
 *
 * @param onMore told that there are more
 */
export async function* modelSignatures(
  source: RegistryClient,
  manifest: Digest,
  onMore: () => void = () => {},
): AsyncGenerator<Uint8Array> {
  let [count, bytes] = [0, 0];
  for await (const { digest, annotations } of source.referrers(manifest, bundleMediaType)) {
    const type = annotations?.["dev.sigstore.bundle.predicateType"];
    if (type !== undefined && type !== modelSignatureType) continue;
    if (count >= most.signatures || bytes >= most.bytes) return onMore();
    count += 1;
    const bundle = await bundleOf(source, digest);
    bytes += bundle?.length ?? 0;
    if (bundle !== undefined) yield bundle;
  }
}

async function bundleOf(source: RegistryClient, digest: string): Promise<Uint8Array | undefined> {
  try {
    const { manifest } = await source.resolve(digest);
    const layer = manifest.kind === "image" ? manifest.layers[0] : undefined;
    if (layer === undefined || layer.size > largestSignature) return undefined;
    return Buffer.concat(await Array.fromAsync(source.blob(layer)));
  } catch (error) {
    const isItsOwn = error instanceof OciError || error instanceof EvidenceError;
    if (!isItsOwn || ["unreachable", "aborted", "unauthorized"].includes(error.code)) throw error;
    return undefined;
  }
}
