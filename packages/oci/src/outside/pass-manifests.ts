import { largestManifest, parseManifest } from "../artifact/manifest.ts";
import { mediaTypeOfHeader } from "../artifact/media-types.ts";
import { type ManifestReference, parseManifestReference, parseTag } from "../artifact/reference.ts";
import { OciError } from "../error.ts";
import { requireAdmitted } from "../registry/access.ts";
import { sendEmpty } from "../registry/exchange.ts";
import { defaultLimits } from "../registry/options.ts";
import { Refusal } from "../registry/refusal.ts";
import { smallBody } from "../registry/request-body.ts";
import { algorithmOf, contentDigestOf } from "../storage/content-digest.ts";
import type { Pass } from "./pass-exchange.ts";

/** GET and HEAD of a manifest, its bytes checked against the digest that it was asked for by. */
export async function passManifest({ req, res, repository, upstream }: Pass, wanted: string): Promise<void> {
  const { bytes, mediaType, descriptor } = await upstream.client.resolve(wanted).catch((error: unknown) => {
    if (!(error instanceof OciError) || !["not-found", "name-invalid"].includes(error.code)) throw error;
    throw new Refusal(404, "MANIFEST_UNKNOWN", `${repository} holds no manifest ${wanted.slice(0, 200)}`);
  });
  const headers = {
    "Content-Type": mediaType,
    "Content-Length": bytes.length,
    "Docker-Content-Digest": descriptor.digest,
    ETag: `"${descriptor.digest}"`,
  };
  if (req.method === "HEAD") return sendEmpty(res, 200, headers);
  res.writeHead(200, headers);
  res.end(bytes);
}

/**
 * PUT of a manifest by tag or digest, with further tags in the query. Where the registry behind has no referrers API its
 * fallback tag is kept here, so that whoever pushes through the plane need not know.
 */
export async function passManifestPush(pass: Pass, text: string): Promise<void> {
  const wanted = parseManifestReference(text);
  const { req, res, repository, upstream, options } = pass;
  const tags = wantedTags(pass, wanted);
  const bytes = await smallBody(req, largestManifest);
  const manifest = parseManifest(bytes, mediaTypeOfHeader(req.headers["content-type"]));
  if (wanted.kind === "digest") requireWanted(bytes, wanted);
  await requireAdmitted(options, { repository, manifest, req });
  const digest = contentDigestOf(bytes);
  for (const tag of tags.length === 0 ? [undefined] : tags) {
    await upstream.client.pushManifest(bytes, manifest.mediaType, tag);
  }
  await options.onPush?.({ repository, digest, manifest, bytes, tags, req });
  sendEmpty(res, 201, {
    Location: `/v2/${repository}/manifests/${digest}`,
    "Docker-Content-Digest": digest,
    ...(manifest.subject === undefined ? {} : { "OCI-Subject": manifest.subject.digest }),
    ...(pass.query.has("tag") ? { "OCI-Tag": tags.join(", ") } : {}),
  });
}

/** DELETE of a tag or a manifest, and of its place in its subject's list where that is a fallback tag. */
export async function passManifestDelete({ res, upstream }: Pass, text: string): Promise<void> {
  const wanted = parseManifestReference(text);
  const subject =
    wanted.kind === "tag" ? undefined : (await upstream.client.resolve(wanted.digest)).manifest.subject?.digest;
  await upstream.client.delete(text);
  if (wanted.kind === "digest" && subject !== undefined) await upstream.client.forgetReferrer(subject, wanted.digest);
  sendEmpty(res, 202);
}

function wantedTags({ query }: Pass, wanted: ManifestReference): string[] {
  const tags = new Set(query.getAll("tag").map(parseTag));
  if (wanted.kind === "tag") tags.add(wanted.tag);
  const most = defaultLimits.tagsPerPush;
  if (tags.size > most) throw new Refusal(414, "UNSUPPORTED", `at most ${most} tags are set by one push`);
  return [...tags];
}

function requireWanted(bytes: Uint8Array, { digest }: Extract<ManifestReference, { kind: "digest" }>): void {
  if (algorithmOf(digest) !== "sha256") {
    throw new Refusal(400, "UNSUPPORTED", "manifests are pushed by their sha256 where the registry is an outside one");
  }
  const actual = contentDigestOf(bytes);
  if (actual !== digest) throw new Refusal(400, "DIGEST_INVALID", `the manifest should be ${digest}, and is ${actual}`);
}
