import { OciError } from "../error.ts";
import { algorithmOf, type ContentDigest, isContentDigest, requireDigest } from "../storage/content-digest.ts";
import type { Answer } from "./send.ts";

/** Where an upload goes on. */
export function uploadPlace(response: Pick<Answer, "headers">, url: URL, doing: string): URL {
  const location = response.headers.get("location");
  if (location === null || !URL.canParse(location, url)) {
    throw new OciError("protocol", `${doing}: the registry does not say where to upload to`);
  }
  const place = new URL(location, url);
  // What was to go encrypted does not go another way because somebody says so.
  const isFit = place.protocol === "https:" || (place.protocol === "http:" && url.protocol === "http:");
  if (isFit) return place;
  const said = JSON.stringify(location.slice(0, 200));
  throw new OciError("protocol", `${doing}: the registry, which speaks ${url.protocol}, says to upload to ${said}`);
}

/** Where a registry says what it stored, it must be what was sent. */
export function requireEcho(response: Pick<Answer, "headers">, digest: ContentDigest): void {
  const echoed = response.headers.get("docker-content-digest");
  if (echoed !== null && isContentDigest(echoed) && algorithmOf(echoed) === algorithmOf(digest)) {
    requireDigest("what the registry stored", digest, echoed);
  }
}
