import { type Descriptor, parseDescriptor } from "../artifact/descriptor.ts";
import { mediaTypes } from "../artifact/media-types.ts";
import { filterParameters, formatTime, matchesFilter, type ReferrerFilter } from "../artifact/referrer-filter.ts";
import type { ResolvedManifest } from "../artifact/transfer.ts";
import { OciError } from "../error.ts";
import { type ContentDigest, contentDigestOf } from "../storage/content-digest.ts";
import { DigestSet } from "./digest-set.ts";
import { fallbackReferrers } from "./fallback-referrers.ts";
import { indexItems } from "./index-items.ts";
import { nextPage } from "./pages.ts";
import { chunksOf, discard, type Reply } from "./reply.ts";
import type { Transport } from "./transport.ts";

/** Anyone who may push can attach to an artifact without end; beyond these a list is refused as `too-large`. */
export interface ListLimits {
  /** Descriptors that the registry sends, wanted or not; 5,000,000 by default. */
  readonly referrers: number;
  /** Bytes of all pages together; 4 GiB by default. */
  readonly bytes: number;
  /** Pages in a row with nothing in them; 1,000 by default. */
  readonly emptyPages: number;
}

export interface ListOptions {
  /** Entries of one page, for registries that let one choose (`n`). */
  readonly pageSize?: number;
  readonly limits?: Partial<ListLimits>;
  /** Hears once, after the first answer, how the list comes. */
  onListing?(listing: Listing): void;
}

/** How a registry lists referrers. */
export interface Listing {
  readonly way: "api" | "tag";
  /** Query parameters of the filter that the registry does not apply, so that everything is read and sifted here. */
  readonly sifted: readonly string[];
}

interface Registry {
  readonly transport: Transport;
  readonly repository: string;
  resolve(tag: string): Promise<ResolvedManifest>;
}

const defaults: ListLimits = Object.freeze({ referrers: 5_000_000, bytes: 4 * 1024 ** 3, emptyPages: 1_000 });

/** What `RegistryClient.referrers` does. */
export async function* listReferrers(
  registry: Registry,
  subject: ContentDigest,
  filter: ReferrerFilter,
  options: ListOptions,
): AsyncGenerator<Descriptor> {
  const { transport, repository } = registry;
  const doing = `listing what refers to ${subject} in ${repository}`;
  const asked = parameters(filter);
  const query = new URLSearchParams(asked);
  if (options.pageSize !== undefined) query.set("n", String(options.pageSize));
  const headers = { Accept: mediaTypes.imageIndex };
  const url = `/v2/${repository}/referrers/${subject}${query.size === 0 ? "" : `?${query}`}`;
  const first = await transport.call({ method: "GET", url, headers, doing }, 200, 404);
  if (first.response.status === 404) {
    await discard(first);
    options.onListing?.({ way: "tag", sifted: Object.keys(asked) });
    const listed = (await fallbackReferrers(registry, subject)) ?? [];
    const seen = new DigestSet();
    yield* listed.filter((descriptor) => seen.add(descriptor.digest) && matchesFilter(descriptor, filter));
    return;
  }
  const applied = (first.response.headers.get("oci-filters-applied") ?? "").split(",").map((name) => name.trim());
  options.onListing?.({ way: "api", sifted: Object.keys(asked).filter((name) => !applied.includes(name)) });
  yield* walk(transport, first, filter, { ...defaults, ...options.limits }, doing);
}

/** Every page from the first on, each descriptor that is wanted once. */
async function* walk(
  transport: Transport,
  first: Reply,
  filter: ReferrerFilter,
  limits: ListLimits,
  doing: string,
): AsyncGenerator<Descriptor> {
  const seen = new DigestSet();
  const visited = new DigestSet();
  const sum = { listed: 0, bytes: 0 };
  for (let [reply, empty] = [first, 0]; ; ) {
    if (!visited.add(contentDigestOf(Buffer.from(reply.url.href)))) throw inCircles(doing);
    const next = nextPage(reply, transport.origin, doing);
    const [listed, known] = [sum.listed, seen.size];
    for await (const items of indexItems(counted(reply, sum, limits, doing), doing)) {
      for (const item of items) {
        const descriptor = parseDescriptor(item, `referrers[${sum.listed}]`);
        sum.listed += 1;
        if (sum.listed > limits.referrers) throw tooMany(doing, `more than ${limits.referrers} of them`);
        if (seen.add(descriptor.digest) && matchesFilter(descriptor, filter)) yield descriptor;
      }
    }
    if (next === undefined) return;
    empty = sum.listed === listed ? empty + 1 : 0;
    if (empty > limits.emptyPages) throw new OciError("protocol", `${doing}: ${empty} pages in a row are empty`);
    if (empty === 0 && seen.size === known) throw inCircles(doing);
    reply = await transport.call({ method: "GET", url: next, doing }, 200);
  }
}

async function* counted(
  reply: Reply,
  sum: { bytes: number },
  limits: ListLimits,
  doing: string,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunksOf(reply)) {
    sum.bytes += chunk.length;
    if (sum.bytes > limits.bytes) throw tooMany(doing, `more than ${limits.bytes} bytes`);
    yield chunk;
  }
}

/** A filter as query parameters; registries ignore those that they do not know. */
function parameters({ artifactType, device, since, until }: ReferrerFilter): Record<string, string> {
  return {
    ...(artifactType === undefined ? {} : { [filterParameters.artifactType]: artifactType }),
    ...(device === undefined ? {} : { [filterParameters.device]: device }),
    ...(since === undefined ? {} : { [filterParameters.since]: formatTime(since) }),
    ...(until === undefined ? {} : { [filterParameters.until]: formatTime(until) }),
  };
}

function inCircles(doing: string): OciError {
  return new OciError("protocol", `${doing}: its pages go in circles`);
}

function tooMany(doing: string, what: string): OciError {
  return new OciError("too-large", `${doing}: the registry sends ${what}`, {
    hint: "ask for one artifact type, device or time, of a registry that can select by it",
  });
}
