import { asObject } from "../artifact/descriptor.ts";
import { OciError } from "../error.ts";
import { type Reply, readBounded } from "./reply.ts";
import type { Answer } from "./send.ts";
import type { Transport } from "./transport.ts";

/** Registries without paging send every tag at once. */
const largestPage = 64 * 1024 * 1024;

/**
 * Walks a listing along its `Link: <…>; rel="next"` headers (RFC 8288). The first reply is given, since its status may mean
 * something else than a page.
 */
export async function* pages(
  transport: Transport,
  first: Reply,
  doing: string,
): AsyncGenerator<{ json: Record<string, unknown>; response: Answer }> {
  for (let reply = first; ; ) {
    const next = nextPage(reply, transport.origin, doing);
    yield { json: await pageJson(reply, doing), response: reply.response };
    if (next === undefined) return;
    reply = await transport.call({ method: "GET", url: next, doing }, 200);
  }
}

/** One page of a listing. Throws `protocol` for what is no JSON object. */
export async function pageJson(reply: Reply, doing: string): Promise<Record<string, unknown>> {
  return parse(await readBounded(reply, largestPage), doing);
}

/** Where the next page is, if there is one. Throws `protocol` for a place at another origin, or the same page again. */
export function nextPage({ response, url }: Reply, origin: URL, doing: string): URL | undefined {
  const link = response.headers.get("link");
  const target = link && /<([^>]*)>\s*;[^,]*\brel="?next"?/i.exec(link)?.[1];
  if (!target) return undefined;
  const next = URL.canParse(target, url) ? new URL(target, url) : undefined;
  if (next === undefined || next.origin !== origin.origin || next.href === url.href) {
    throw new OciError("protocol", `${doing}: the next page is said to be at ${JSON.stringify(target.slice(0, 200))}`);
  }
  return next;
}

function parse(bytes: Uint8Array, doing: string): Record<string, unknown> {
  try {
    return asObject(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)), "the list");
  } catch (cause) {
    throw new OciError("protocol", `${doing}: the registry's list is not a JSON object`, { cause });
  }
}
