import { type Digest, identitiesFor, publicKeyPem } from "@tally/evidence";
import { filesOfModelKit, verifyModel } from "@tally/oci";
import type { NoteCheck } from "./carry-check.ts";
import { throwOwn } from "./disk-error.ts";
import type { VerifyCarried } from "./verify-model.ts";

const largestSignature = 64 * 1024 * 1024;

/** One signature by somebody who may is enough; others prove nothing, and harm nothing. @returns whether one holds */
export async function verifySignatures(
  { carried, root, trust, now }: VerifyCarried,
  signatures: readonly Digest[],
  repository: string | null,
  note: NoteCheck,
): Promise<boolean> {
  if (repository === null || signatures.length === 0) {
    const why =
      repository === null ? "without a repository nobody is known to be allowed to sign it" : "none came with it";
    note("signature", root.digest, "not made", why);
    return false;
  }
  const files = await filesOfModelKit({ source: carried, reference: root.digest }).catch((error: unknown) => {
    throwOwn(error);
    note("files", root.digest, "bad", (error as Error).message);
    return undefined;
  });
  if (files === undefined) return false;
  const able = identitiesFor(trust, { action: "sign-model", repository, atMs: now });
  let signed = false;
  for (const signature of signatures) {
    const { manifest } = await carried.manifest(signature);
    const layer = manifest.kind === "image" ? manifest.layers[0] : undefined;
    if (layer === undefined || layer.size > largestSignature) {
      note("signature", signature, "not made", "it holds no signature of a size to read", false);
      continue;
    }
    const bundle = Buffer.concat(await Array.fromAsync(carried.blob(layer)));
    let reason = "nobody in the trust file may sign models of this repository";
    for (const { name, spki } of able) {
      const { outcome, checks } = await verifyModel({
        bundle,
        files: files.files,
        publicKeyPem: publicKeyPem(spki),
        filesOfGoodOnly: true,
      });
      if (outcome === "good") {
        signed = true;
        note("signature", signature, "good", `by ${name}, over these files`);
        reason = "";
        break;
      }
      const failed = checks.find(({ result }) => result !== "good");
      reason = failed === undefined ? "no check was made" : `${failed.name}: ${failed.message}`;
    }
    if (reason !== "") note("signature", signature, "not made", reason, false);
  }
  if (!signed) note("signature", root.digest, "bad", "none of those that came with it is of anyone who may sign it");
  return signed;
}
