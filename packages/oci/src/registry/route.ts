import { parseRepository } from "../artifact/reference.ts";
import { type ContentDigest, parseContentDigest } from "../storage/content-digest.ts";
import { Refusal } from "./refusal.ts";

/** What a path under /v2/ names. */
export type Route =
  | { readonly kind: "ping" }
  | { readonly kind: "blob"; readonly repository: string; readonly digest: ContentDigest }
  | { readonly kind: "uploads"; readonly repository: string }
  | { readonly kind: "upload"; readonly repository: string; readonly id: string }
  | { readonly kind: "manifest"; readonly repository: string; readonly reference: string }
  | { readonly kind: "tags"; readonly repository: string }
  | { readonly kind: "referrers"; readonly repository: string; readonly digest: ContentDigest };

/** Parses a path (without its query). Throws `Refusal` or an error that amounts to one. */
export function parseRoute(path: string): Route {
  if (path === "/v2/" || path === "/v2") return { kind: "ping" };
  // A name may itself contain "blobs" or "manifests": the last one decides, so the first group is greedy.
  const match = /^\/v2\/(.+)\/(?:(blobs)\/uploads\/([^/]*)|(blobs|manifests|referrers)\/([^/]+)|(tags)\/list)$/.exec(
    path.endsWith("/blobs/uploads") ? `${path}/` : path,
  );
  if (match === null) throw new Refusal(404, "UNSUPPORTED", "no such endpoint in the distribution specification");
  const [, name = "", uploads, uploadId = "", collection, item = "", tags] = match;
  const repository = parseRepository(name);
  if (tags !== undefined) return { kind: "tags", repository };
  if (uploads !== undefined)
    return uploadId === "" ? { kind: "uploads", repository } : { kind: "upload", repository, id: uploadId };
  const text = decode(item);
  if (collection === "blobs") return { kind: "blob", repository, digest: parseContentDigest(text) };
  if (collection === "referrers") return { kind: "referrers", repository, digest: parseContentDigest(text) };
  // Whether this can be a reference is asked by the method: to a pull of what cannot, there is none (404).
  return { kind: "manifest", repository, reference: text };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new Refusal(400, "NAME_INVALID", `${JSON.stringify(segment)} is not percent-encoded UTF-8`);
  }
}
