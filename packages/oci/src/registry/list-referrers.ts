import { isMediaType, mediaTypes } from "../artifact/media-types.ts";
import { filterParameters, isDeviceName, parseTime, type ReferrerFilter } from "../artifact/referrer-filter.ts";
import { type ContentDigest, isContentDigest } from "../storage/content-digest.ts";
import { type Exchange, sendJsonText } from "./exchange.ts";
import { link, pageSize } from "./listings.ts";
import type { Place } from "./referrers.ts";
import { Refusal } from "./refusal.ts";

/** As much as a manifest has at most, which is what other clients expect of a list. */
export const pageBytes = 4 * 1024 * 1024;

/**
 * GET of the manifests whose subject is this digest (end-12), which itself need not be here. Besides `artifactType` there are
 * `tally.device`, `tally.since` and `tally.until`; `OCI-Filters-Applied` names those that were given.
 */
export async function listReferrers(exchange: Exchange, repository: string, subject: ContentDigest): Promise<void> {
  const { res, query, contents, options } = exchange;
  const limit = pageSize(query, options.limits?.page) || 1;
  const filter = filterOf(query);
  const after = parseCursor(query.get("cursor"));
  const page = await contents.referrers(repository, subject, filter, { after, limit, maxBytes: pageBytes });
  const applied = Object.entries(filterParameters).filter(([part]) => Object.hasOwn(filter, part));
  const asked = Object.fromEntries(applied.map(([, name]) => [name, query.get(name) ?? ""]));
  sendJsonText(
    res,
    `{"schemaVersion":2,"mediaType":"${mediaTypes.imageIndex}","manifests":[${page.descriptors.join(",")}]}`,
    {
      "Content-Type": mediaTypes.imageIndex,
      ...(applied.length === 0 ? {} : { "OCI-Filters-Applied": applied.map(([, name]) => name).join(", ") }),
      ...link(
        `/v2/${repository}/referrers/${subject}`,
        page.next && { ...asked, n: String(limit), cursor: formatCursor(page.next) },
      ),
    },
  );
}

/** What a request asks for, by its query. Throws `Refusal`. */
export function filterOf(query: URLSearchParams): ReferrerFilter {
  const given = (part: keyof typeof filterParameters) => query.get(filterParameters[part]) || undefined;
  const [artifactType, device] = [given("artifactType"), given("device")];
  if (artifactType !== undefined && !isMediaType(artifactType)) {
    throw new Refusal(400, "UNSUPPORTED", `artifactType ${JSON.stringify(artifactType)} is not a media type`);
  }
  if (device !== undefined && !isDeviceName(device)) {
    throw new Refusal(400, "UNSUPPORTED", `tally.device ${JSON.stringify(device.slice(0, 200))} cannot name a device`);
  }
  const time = (part: "since" | "until") => {
    const text = given(part);
    if (text === undefined) return {};
    const parsed = parseTime(text);
    if (parsed !== undefined) return { [part]: parsed };
    throw new Refusal(400, "UNSUPPORTED", `${filterParameters[part]} has to be a time as in 2026-01-31T12:00:00Z`);
  };
  return {
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(device === undefined ? {} : { device }),
    ...time("since"),
    ...time("until"),
  };
}

/** A cursor says where a page begins, and nothing that whoever sends it might not know: `<to in ms>.<digest>`, base64url. */
function formatCursor({ to, digest }: Place): string {
  return Buffer.from(`${to}.${digest}`).toString("base64url");
}

function parseCursor(text: string | null): Place | undefined {
  if (text === null) return undefined;
  const [, to = "", digest = ""] = /^(-1|0|[1-9]\d{0,15})\.(.+)$/.exec(Buffer.from(text, "base64url").toString()) ?? [];
  const place = { to: Number(to), digest };
  if (to !== "" && isContentDigest(digest) && formatCursor(place) === text) return place;
  throw new Refusal(400, "UNSUPPORTED", "`cursor` is not one that a page of referrers named");
}
