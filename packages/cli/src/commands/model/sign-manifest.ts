import type { Digest } from "@tally/evidence";
import {
  type ArtifactTarget,
  attach,
  containerSignatureStatement,
  type ResolvedManifest,
  signerBundle,
  signForBundle,
} from "@tally/oci";
import type { SigningKey } from "../../keys/index.ts";

/**
 * Signs a model's manifest as cosign does and hangs the signature on it: a model signature is about the files, which cosign knows
 * nothing of. Null for keys that such signatures do not have; then nothing is attached.
 */
export async function signManifest(
  target: ArtifactTarget,
  { signer }: SigningKey,
  { descriptor: subject, digest }: Pick<ResolvedManifest, "descriptor" | "digest">,
): Promise<Digest | null> {
  if (!/^p-(256|384)$/.test(signer.identity.algorithm)) return null;
  const envelope = await signForBundle(containerSignatureStatement(digest), signer);
  const attached = await attach(target, { subject, bundle: await signerBundle(envelope, signer), created: new Date() });
  return attached.digest;
}
