import type { IncomingMessage } from "node:http";

/**
 * Whether a page of another site has its visitor's browser change something here (CSRF). Browsers remember the password of Basic, which is
 * a token here, and send it with requests of any page; what they say of the page it cannot change (`Sec-Fetch-Site`, and `Origin` where
 * that is not sent). Clients that are no browsers send neither.
 */
export function isFromOtherSite({ method, headers }: Pick<IncomingMessage, "method" | "headers">): boolean {
  if (["GET", "HEAD", "OPTIONS"].includes(method ?? "")) return false;
  const site = headers["sec-fetch-site"];
  if (site !== undefined) return site !== "same-origin" && site !== "none";
  const { origin, host } = headers;
  if (origin === undefined) return false;
  return !URL.canParse(origin) || new URL(origin).host !== host;
}
