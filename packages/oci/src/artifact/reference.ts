import { OciError } from "../error.ts";
import { type ContentDigest, isContentDigest, parseContentDigest } from "../storage/content-digest.ts";

const name = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tag = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/** The longest repository name taken; longer ones do not fit into other clients' 255 characters with a host before them. */
export const longestRepositoryName = 255;

/** Checks a repository name (distribution-spec, "Pulling manifests"). Throws `name-invalid`. */
export function parseRepository(text: string): string {
  if (text.length > longestRepositoryName) {
    throw new OciError(
      "name-invalid",
      `a repository name has at most ${longestRepositoryName} characters, this has ${text.length}`,
    );
  }
  if (!name.test(text)) {
    throw new OciError(
      "name-invalid",
      `${JSON.stringify(text)} is not a repository name: lowercase letters and digits, joined by . _ __ or -, in parts between slashes`,
      hintFor(text),
    );
  }
  return text;
}

/** What docker, oras and kit put before a name: where the registry is. A host without a port could be a part of a name. */
function hintFor(text: string): { readonly hint?: string } {
  const host = /^(?:[a-z][a-z0-9+]*:\/\/[^/]+|[^/]*:\d+)\//i.exec(text)?.[0];
  if (host === undefined) return {};
  return { hint: `a name here has no host, since the registry is named by itself: ${text.slice(host.length)}` };
}

/** Checks a tag (same section). Throws `name-invalid`. */
export function parseTag(text: string): string {
  if (!tag.test(text)) {
    throw new OciError(
      "name-invalid",
      `${JSON.stringify(text.slice(0, 160))} is not a tag: 1 to 128 of letters, digits, . _ -, not beginning with . or -`,
    );
  }
  return text;
}

/** What names a manifest within a repository: a tag, or a digest (anything with a colon). */
export type ManifestReference =
  | { readonly kind: "tag"; readonly tag: string }
  | { readonly kind: "digest"; readonly digest: ContentDigest };

/** Throws `name-invalid` or `digest-invalid`. */
export function parseManifestReference(text: string): ManifestReference {
  if (text.includes(":")) return { kind: "digest", digest: parseContentDigest(text) };
  return { kind: "tag", tag: parseTag(text) };
}

/**
 * A repository with a tag or digest, as people write it: `models/cancer`, `models/cancer:v1`, `models/cancer@sha256:…`.
 * Without either the tag is `latest`. Throws `name-invalid` or `digest-invalid`.
 */
export function parseArtifactName(text: string): { repository: string; reference: string } {
  const at = text.indexOf("@");
  if (at >= 0)
    return {
      repository: parseRepository(withoutTag(text.slice(0, at))),
      reference: parseContentDigest(text.slice(at + 1)),
    };
  const repository = withoutTag(text);
  return {
    repository: parseRepository(repository),
    reference: repository === text ? "latest" : parseTag(text.slice(repository.length + 1)),
  };
}

function withoutTag(text: string): string {
  const colon = text.lastIndexOf(":");
  return colon > text.lastIndexOf("/") ? text.slice(0, colon) : text;
}

/**
 * The tag under which clients keep the list of referrers where a registry has no referrers API ("Referrers Tag Schema"):
 * `sha256-<hex>`, with at most 64 characters of the hex.
 */
export function referrersTag(subject: ContentDigest): string {
  if (!isContentDigest(subject)) throw new OciError("digest-invalid", `${JSON.stringify(subject)} is not a digest`);
  const [algorithm, hex] = subject.split(":") as [string, string];
  return `${algorithm}-${hex.slice(0, 64)}`;
}
