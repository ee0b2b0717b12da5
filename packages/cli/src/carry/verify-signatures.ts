import { type Digest, signedWhen, whyNot } from "@tally/evidence";
import { filesOfModelKit, type ModelReport, verifyModel } from "@tally/oci";
import type { NoteCheck } from "./carry-check.ts";
import { throwOwn } from "./disk-error.ts";
import type { VerifyCarried } from "./verify-carried.ts";

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
  let signed = false;
  for (const signature of signatures) {
    const { manifest } = await carried.manifest(signature);
    const layer = manifest.kind === "image" ? manifest.layers[0] : undefined;
    if (layer === undefined || layer.size > largestSignature) {
      note("signature", signature, "not made", "it holds no signature of a size to read", false);
      continue;
    }
    const bundle = Buffer.concat(await Array.fromAsync(carried.blob(layer)));
    const report = await verifyModel({ bundle, files: files.files, trusted: trust, filesOfGoodOnly: true });
    const { name, why } = signerOf(report, repository, now);
    if (name === undefined) note("signature", signature, "not made", why, false);
    else {
      signed = true;
      note("signature", signature, "good", `by ${name}, over these files`);
    }
  }
  if (!signed) note("signature", root.digest, "bad", "none of those that came with it is of anyone who may sign it");
  return signed;
}

/** Who of the trust file has signed it by key or keyless, and may; or why nobody has. */
function signerOf(
  { outcome, checks, by = [] }: ModelReport,
  repository: string,
  now: number,
): { readonly name?: string; readonly why: string } {
  if (outcome !== "good") {
    const failed = checks.find(({ result }) => result !== "good");
    return { why: failed === undefined ? "no check was made" : `${failed.name}: ${failed.message}` };
  }
  const reasons = by.map((signer) => {
    const time = signedWhen(signer, { atMs: now });
    return { signer, why: whyNot(signer, { action: "sign-model", repository, ...time }) };
  });
  const able = reasons.find(({ why }) => why === undefined);
  if (able !== undefined) return { name: able.signer.name, why: "" };
  return { why: reasons.map(({ signer, why }) => `${signer.name} ${why}`).join("; ") || "nobody in the trust file" };
}
