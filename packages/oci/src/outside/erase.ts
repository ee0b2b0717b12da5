import type { RegistryClient } from "../client/registry-client.ts";
import { discard } from "../client/reply.ts";
import { OciError } from "../error.ts";
import type { ContentDigest } from "../storage/content-digest.ts";
import type { Upstream } from "./upstream.ts";

/**
 * Has a registry give up a blob, and the manifest that needs it: some refuse to delete what a manifest names, others stop
 * serving it and keep its bytes for as long as the manifest is there. Doing it again changes nothing.
 *
 * Throws `refused` where the registry deletes nothing; whether there was something to delete otherwise.
 */
export async function eraseAt(
  { name, client, transport }: Upstream,
  digest: ContentDigest,
  manifest?: ContentDigest,
): Promise<boolean> {
  if (manifest !== undefined) await giveUp(client, manifest);
  const doing = `erasing blob ${digest} from ${name}`;
  const call = { method: "DELETE", url: `/v2/${name}/blobs/${digest}`, doing } as const;
  const reply = await transport.call(call, 202, 200, 204, 404).catch((cause: unknown) => {
    if (!(cause instanceof OciError) || cause.code !== "refused") throw cause;
    throw new OciError("refused", cause.message, {
      cause,
      hint: `have ${transport.origin.host} allow deletion: what is erased must not be served any longer`,
    });
  });
  await discard(reply);
  return reply.response.status !== 404;
}

async function giveUp(client: RegistryClient, manifest: ContentDigest): Promise<void> {
  const subject = await client.resolve(manifest).then((found) => found.manifest.subject?.digest, ignoring("not-found"));
  await client.delete(manifest).catch(ignoring("not-found", "refused"));
  if (subject !== undefined) await client.forgetReferrer(subject, manifest);
}

function ignoring(...codes: readonly OciError["code"][]): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof OciError && codes.includes(error.code)) return undefined;
    throw error;
  };
}
