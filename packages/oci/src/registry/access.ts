import type { IncomingMessage } from "node:http";
import type { PushEvent, RegistryAction, RegistryOptions } from "./options.ts";
import { Refusal } from "./refusal.ts";

/** Lets a request go on, or throws the refusal that `authorize` asks for. */
export async function requireAccess(
  options: Pick<RegistryOptions, "authorize">,
  req: IncomingMessage,
  repository: string,
  action: RegistryAction,
): Promise<void> {
  const refused = await options.authorize(req, { repository, action });
  if (!refused) return;
  if (refused.status === 403)
    throw new Refusal(403, "DENIED", `these credentials may not ${action} ${repository || "here"}`);
  throw new Refusal(401, "UNAUTHORIZED", "credentials are required, as the WWW-Authenticate header says", {
    ...(refused.challenge === undefined ? {} : { headers: { "WWW-Authenticate": refused.challenge } }),
  });
}

/** Lets a manifest be pushed by whoever may push one that is what it is. */
export async function requireAdmitted(
  { admits }: Pick<RegistryOptions, "admits">,
  push: Pick<PushEvent, "repository" | "manifest" | "req">,
): Promise<void> {
  if (admits === undefined || (await admits(push))) return;
  const { manifest, repository } = push;
  const type = manifest.artifactType ?? (manifest.kind === "image" ? manifest.config.mediaType : manifest.mediaType);
  throw new Refusal(403, "DENIED", `these credentials may not push ${type} to ${repository}`);
}
