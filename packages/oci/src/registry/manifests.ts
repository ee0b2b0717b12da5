import { largestManifest, parseManifest } from "../artifact/manifest.ts";
import { mediaTypeOfHeader } from "../artifact/media-types.ts";
import { type ManifestReference, parseManifestReference, parseTag } from "../artifact/reference.ts";
import { OciError } from "../error.ts";
import { algorithmOf, contentDigestOf, requireDigest } from "../storage/content-digest.ts";
import { requireAdmitted } from "./access.ts";
import { holdStored, storedBytes } from "./blobs.ts";
import type { WrongPart } from "./contents.ts";
import { type Exchange, sendEmpty } from "./exchange.ts";
import { defaultLimits, type RetentionRefused } from "./options.ts";
import { Refusal } from "./refusal.ts";
import { smallBody } from "./request-body.ts";
import type { Protection } from "./retention.ts";

/** GET and HEAD of a manifest (end-3): the exact bytes that were pushed. */
export async function sendManifest(exchange: Exchange, repository: string, text: string): Promise<void> {
  const { req, res, contents, blobs } = exchange;
  const reference = wantedReference(text);
  const stored =
    reference.kind === "digest"
      ? await contents.manifest(repository, reference.digest)
      : await contents.taggedManifest(repository, reference.tag);
  if (stored === undefined) throw await unknownManifest(exchange, repository, reference);
  if (!accepts(req.headers.accept, stored.mediaType)) {
    throw new Refusal(
      406,
      "MANIFEST_UNKNOWN",
      `the manifest is ${stored.mediaType}, which the Accept header does not name`,
    );
  }
  const headers = {
    "Content-Type": stored.mediaType,
    "Content-Length": stored.size,
    "Docker-Content-Digest": stored.digest,
    ETag: `"${stored.digest}"`,
  };
  if (req.method === "HEAD") return sendEmpty(res, 200, headers);
  const bytes = await storedBytes(blobs, stored.digest, largestManifest);
  res.writeHead(200, headers);
  res.end(bytes);
}

/** PUT of a manifest (end-7) by tag or digest, with further tags in the query. */
export async function putManifest(exchange: Exchange, repository: string, text: string): Promise<void> {
  const { req, res, blobs, contents, options } = exchange;
  const reference = parseManifestReference(text);
  const tags = wantedTags(exchange, reference);
  const bytes = await smallBody(req, largestManifest);
  const digest = contentDigestOf(bytes, reference.kind === "digest" ? algorithmOf(reference.digest) : "sha256");
  if (reference.kind === "digest") requireDigest("the manifest", reference.digest, digest);
  const manifest = parseManifest(bytes, mediaTypeOfHeader(req.headers["content-type"]));

  await requireAdmitted(options, { repository, manifest, req });
  refuseWrongParts(await contents.wrongParts(repository, manifest));
  await blobs.put(digest, bytes);
  await holdStored(exchange, digest, async () => {
    // Asked again together with storing: a part may have been deleted meanwhile.
    const added = await contents.addManifest(repository, manifest, digest, bytes.length, tags);
    if (!("tag" in added)) return refuseWrongParts(added);
    return refuseProtected(exchange, { repository, action: "move-tag", tag: added.tag, digest: added.target }, added);
  });
  await options.onPush?.({ repository, digest, manifest, bytes, tags, req });

  sendEmpty(res, 201, {
    Location: `/v2/${repository}/manifests/${digest}`,
    "Docker-Content-Digest": digest,
    ...(manifest.subject === undefined ? {} : { "OCI-Subject": manifest.subject.digest }),
    ...(exchange.query.has("tag") ? { "OCI-Tag": tags.join(", ") } : {}),
  });
}

/** DELETE of a tag, or of a manifest with its tags (end-9). */
export async function deleteManifest(exchange: Exchange, repository: string, text: string): Promise<void> {
  const { res, contents } = exchange;
  const reference = parseManifestReference(text);
  if (reference.kind === "tag") {
    const removed = await contents.removeTag(repository, reference.tag);
    if (removed === "absent") throw await unknownManifest(exchange, repository, reference);
    if (removed !== "gone") {
      const refused = { repository, action: "delete-tag", tag: reference.tag, digest: removed.target } as const;
      await refuseProtected(exchange, refused, removed);
    }
    return sendEmpty(res, 202);
  }
  const result = await contents.removeManifest(repository, reference.digest);
  if (typeof result === "object") {
    await refuseProtected(exchange, { repository, action: "delete-manifest", digest: reference.digest }, result);
  }
  if (result === "absent") throw await unknownManifest(exchange, repository, reference);
  if (result === "needed") {
    throw new Refusal(
      405,
      "UNSUPPORTED",
      `an index in ${repository} lists ${reference.digest}; delete that index first`,
    );
  }
  sendEmpty(res, 202);
}

/** Says that a write-once rule keeps a manifest, after that was put on record: 403 for a deletion, 409 for a tag that leads elsewhere. */
async function refuseProtected(
  { req, options }: Exchange,
  refused: Pick<RetentionRefused, "repository" | "action" | "tag" | "digest">,
  { protection: { rule, until } }: { readonly protection: Protection },
): Promise<never> {
  await options.onRefused?.({ ...refused, rule, until, req });
  const what = refused.tag === undefined ? refused.digest : `tag ${refused.tag} on ${refused.digest}`;
  const time = until === null ? "for ever" : `until ${new Date(until).toISOString()}`;
  throw new Refusal(
    refused.action === "move-tag" ? 409 : 403,
    "DENIED",
    `${refused.repository} is written once by the rule ${rule.pattern}: it keeps ${what} ${time}`,
    { detail: { rule: rule.pattern, until } },
  );
}

/** What a pull names. Of a name that no tag can have, the specification's suite 1.1.1 wants to hear that there is none. */
function wantedReference(text: string): ManifestReference {
  try {
    return parseManifestReference(text);
  } catch (error) {
    if (!(error instanceof OciError) || error.code !== "name-invalid") throw error;
    throw new Refusal(404, "MANIFEST_UNKNOWN", error.message);
  }
}

function wantedTags({ query, options }: Exchange, reference: ManifestReference): string[] {
  const tags = new Set(query.getAll("tag").map(parseTag));
  if (reference.kind === "tag") tags.add(reference.tag);
  const most = options.limits?.tagsPerPush ?? defaultLimits.tagsPerPush;
  if (tags.size > most) throw new Refusal(414, "UNSUPPORTED", `at most ${most} tags are set by one push`);
  return [...tags];
}

function refuseWrongParts(wrong: readonly WrongPart[]): void {
  const first = wrong[0];
  if (first === undefined) return;
  const detail = wrong.slice(0, 100).map(({ part }) => ({ digest: part.digest }));
  const missing = wrong.find(({ size }) => size === undefined);
  if (missing !== undefined) {
    throw new Refusal(404, "MANIFEST_BLOB_UNKNOWN", `push ${missing.part.digest} before the manifest that names it`, {
      detail,
    });
  }
  const { part, size } = first;
  throw new Refusal(400, "SIZE_INVALID", `the manifest says ${part.size} bytes of ${part.digest}, which has ${size}`, {
    detail,
  });
}

async function unknownManifest(
  { contents }: Exchange,
  repository: string,
  reference: ManifestReference,
): Promise<Refusal> {
  if (!(await contents.repositoryExists(repository))) {
    return new Refusal(404, "NAME_UNKNOWN", `there is no repository ${repository}`);
  }
  const what = reference.kind === "digest" ? reference.digest : `tag ${reference.tag}`;
  return new Refusal(404, "MANIFEST_UNKNOWN", `${repository} holds no manifest ${what}`);
}

/** Whether an Accept header, if there is one, leaves room for the type (RFC 9110 section 12.5.1, without weights). */
function accepts(header: string | undefined, mediaType: string): boolean {
  if (header === undefined || header.trim() === "") return true;
  const ranges = header.split(",").map((range) => mediaTypeOfHeader(range));
  return ranges.some((range) => range === mediaType || range === "*/*" || range === "application/*");
}
