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

/** The `n` of a query, and not more than the registry gives. */
export function pageSize(query: URLSearchParams, most = defaultLimits.page): number {
  const text = query.get("n");
  if (text === null) return most;
  if (!/^\d{1,9}$/.test(text)) throw new Refusal(400, "UNSUPPORTED", `n=${text} is not a number of entries`);
  return Math.min(Number(text), most);
}

export function link(path: string, query: Record<string, string> | undefined): { Link?: string } {
  return query === undefined ? {} : { Link: `<${path}?${new URLSearchParams(query)}>; rel="next"` };
}
