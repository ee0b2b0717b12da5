import { isMediaType, mediaTypes } from "../artifact/media-types.ts";
import { type ContentDigest, isContentDigest } from "../storage/content-digest.ts";
import { type Exchange, sendJson } from "./exchange.ts";
import { defaultLimits } from "./options.ts";
import { Refusal } from "./refusal.ts";

/** GET of the tags of a repository (end-8), in ASCII order. */
export async function listTags({ res, query, contents, options }: Exchange, repository: string): Promise<void> {
  if (!(await contents.repositoryExists(repository))) {
    throw new Refusal(404, "NAME_UNKNOWN", `there is no repository ${repository}`);
  }
  const limit = pageSize(query, options.limits?.page);
  const found = limit === 0 ? [] : await contents.tags(repository, query.get("last") ?? "", limit + 1);
  const tags = found.slice(0, limit);
  const next = found.length > limit ? { n: String(limit), last: tags.at(-1)! } : undefined;
  sendJson(
    res,
    { name: repository, tags },
    { "Content-Type": "application/json", ...link(`/v2/${repository}/tags/list`, next) },
  );
}

/** GET of the manifests whose subject is this digest (end-12), which itself need not be here. */
export async function listReferrers(exchange: Exchange, repository: string, subject: ContentDigest): Promise<void> {
  const { res, query, contents, options } = exchange;
  const limit = pageSize(query, options.limits?.page) || 1;
  const last = query.get("last") ?? "";
  if (last !== "" && !isContentDigest(last))
    throw new Refusal(400, "DIGEST_INVALID", "`last` must be the digest a page ended with");
  const artifactType = query.get("artifactType") || undefined;
  if (artifactType !== undefined && !isMediaType(artifactType)) {
    throw new Refusal(400, "UNSUPPORTED", `artifactType ${JSON.stringify(artifactType)} is not a media type`);
  }
  const { descriptors, more } = await contents.referrers(repository, subject, {
    last,
    limit,
    maxCharacters: 4 * 1024 * 1024,
    ...(artifactType === undefined ? {} : { artifactType }),
  });
  const next = more
    ? { ...(artifactType === undefined ? {} : { artifactType }), n: String(limit), last: descriptors.at(-1)!.digest }
    : undefined;
  sendJson(
    res,
    { schemaVersion: 2, mediaType: mediaTypes.imageIndex, manifests: descriptors },
    {
      "Content-Type": mediaTypes.imageIndex,
      ...(artifactType === undefined ? {} : { "OCI-Filters-Applied": "artifactType" }),
      ...link(`/v2/${repository}/referrers/${subject}`, next),
    },
  );
}

function pageSize(query: URLSearchParams, most = defaultLimits.page): number {
  const text = query.get("n");
  if (text === null) return most;
  if (!/^\d{1,9}$/.test(text)) throw new Refusal(400, "UNSUPPORTED", `n=${text} is not a number of entries`);
  return Math.min(Number(text), most);
}

function link(path: string, query: Record<string, string> | undefined): { Link?: string } {
  return query === undefined ? {} : { Link: `<${path}?${new URLSearchParams(query)}>; rel="next"` };
}
