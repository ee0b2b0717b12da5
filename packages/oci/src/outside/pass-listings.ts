import { parseDescriptor } from "../artifact/descriptor.ts";
import { mediaTypes } from "../artifact/media-types.ts";
import { filterParameters, matchesFilter } from "../artifact/referrer-filter.ts";
import { fallbackReferrers } from "../client/fallback-referrers.ts";
import { nextPage, pageJson } from "../client/pages.ts";
import { discard, type Reply } from "../client/reply.ts";
import { OciError } from "../error.ts";
import { sendJson } from "../registry/exchange.ts";
import { filterOf } from "../registry/list-referrers.ts";
import type { ContentDigest } from "../storage/content-digest.ts";
import type { Pass } from "./pass-exchange.ts";

/** A page of tags. Lists of referrers under fallback tags are left out: they are asked for as referrers. */
export async function passTags(pass: Pass): Promise<void> {
  const { res, query, repository, upstream } = pass;
  const doing = `listing tags of ${upstream.name}`;
  const url = withQuery(`/v2/${upstream.name}/tags/list`, query);
  const reply = await upstream.transport.call({ method: "GET", url, doing }, 200);
  const link = linkOf(pass, reply, `/v2/${repository}/tags/list`, doing);
  const { tags } = await pageJson(reply, doing);
  if (tags !== null && !(Array.isArray(tags) && tags.every((tag) => typeof tag === "string"))) {
    throw new OciError("protocol", `${doing}: the answer is not a list of tags`);
  }
  const names = ((tags as string[] | null) ?? []).filter((tag) => !/^sha(256|512)-[0-9a-f]{64}$/.test(tag));
  sendJson(res, { name: repository, tags: names }, { "Content-Type": "application/json", ...link });
}

/** A page of referrers; all of them at once from the fallback tag where the registry behind has no such API. */
export async function passReferrers(pass: Pass, subject: ContentDigest): Promise<void> {
  const { res, query, repository, upstream } = pass;
  const filter = filterOf(query);
  const doing = `listing what refers to ${subject} in ${upstream.name}`;
  const url = withQuery(`/v2/${upstream.name}/referrers/${subject}`, query);
  const headers = { Accept: mediaTypes.imageIndex };
  const reply = await upstream.transport.call({ method: "GET", url, headers, doing }, 200, 404);
  let listed: readonly unknown[];
  let link = {};
  if (reply.response.status === 404) {
    await discard(reply);
    listed = (await fallbackReferrers(upstream.client, subject)) ?? [];
  } else {
    link = linkOf(pass, reply, `/v2/${repository}/referrers/${subject}`, doing);
    const { manifests } = await pageJson(reply, doing);
    if (!Array.isArray(manifests)) throw new OciError("protocol", `${doing}: the answer is not an image index`);
    listed = manifests;
  }
  const manifests = listed
    .map((item, i) => parseDescriptor(item, `referrers[${i}]`))
    .filter((descriptor) => matchesFilter(descriptor, filter));
  // Applied here, whatever the registry behind makes of them.
  const applied = Object.entries(filterParameters).flatMap(([part, name]) =>
    Object.hasOwn(filter, part) ? [name] : [],
  );
  sendJson(
    res,
    { schemaVersion: 2, mediaType: mediaTypes.imageIndex, manifests },
    {
      "Content-Type": mediaTypes.imageIndex,
      ...(applied.length === 0 ? {} : { "OCI-Filters-Applied": applied.join(", ") }),
      ...link,
    },
  );
}

/** The next page under our own name; what its query means is between the client and the registry behind. */
function linkOf({ upstream }: Pass, reply: Reply, path: string, doing: string): { Link?: string } {
  const next = nextPage(reply, upstream.transport.origin, doing);
  return next === undefined ? {} : { Link: `<${path}${next.search}>; rel="next"` };
}

function withQuery(path: string, query: URLSearchParams): string {
  return query.size === 0 ? path : `${path}?${query}`;
}
