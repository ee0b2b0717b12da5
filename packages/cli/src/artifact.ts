import { type Digest, isDigest } from "@tally/evidence";
import { parseArtifactName, RegistryClient } from "@tally/oci";
import type { PlaneClient } from "./plane-client.ts";
import { usageError } from "./terminal/index.ts";

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
  const { repository, reference } = parseArtifactName(text);
  return (await repositoryOf(client, repository).resolve(reference)).digest;
}
