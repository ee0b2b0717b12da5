import { type Digest, isDigest } from "@tally/evidence";
import { parseArtifactName, RegistryClient } from "@tally/oci";
import type { PlaneClient } from "./plane-client.ts";
import { say, type Terminal, usageError } from "./terminal/index.ts";

/** A repository of the plane's registry. */
export function repositoryOf(
  { url, token, insecureHttp, socketPath }: PlaneClient,
  repository: string,
  more: { readonly uploadNotes?: string } = {},
): RegistryClient {
  return new RegistryClient({
    url: new URL(url).origin,
    repository,
    insecureHttp,
    ...more,
    ...(socketPath !== undefined && { socketPath }),
    ...(token !== undefined && { token }),
  });
}

/** The manifest that `sha256:…`, `repository:tag` or `repository@sha256:…` names. @throws OciError `not-found` */
export async function manifestOf(client: PlaneClient, text: string): Promise<Digest> {
  if (isDigest(text)) return text;
  if (/^sha256:/i.test(text)) throw usageError(`${text} is no digest`, "it is sha256: and 64 lower-case hex digits");
  if (/^[0-9a-f]{64}$/.test(text)) throw usageError(`${text} names no algorithm`, `write sha256:${text}`);
  const { repository, reference } = parseArtifactName(text);
  return (await repositoryOf(client, repository).resolve(reference)).digest;
}

/** The same where a person may write a name for a digest: which one it leads to now is said. */
export async function modelNamed(terminal: Terminal, client: PlaneClient, text: string): Promise<Digest> {
  const manifest = await manifestOf(client, text);
  if (manifest !== text) say(terminal, `${text} is ${manifest}`);
  return manifest;
}
