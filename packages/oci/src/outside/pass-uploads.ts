import { parseRepository } from "../artifact/reference.ts";
import { requireEcho, uploadPlace } from "../client/push-answers.ts";
import { discard, type Reply } from "../client/reply.ts";
import type { Call } from "../client/transport.ts";
import { sendEmpty } from "../registry/exchange.ts";
import { announcedLength, requestBody } from "../registry/request-body.ts";
import { type ContentDigest, isContentDigest, parseContentDigest } from "../storage/content-digest.ts";
import { kept, type Pass } from "./pass-exchange.ts";

/** POST of uploads: mounts a blob, takes one whole, or begins an upload. */
export async function passUploadBegin(pass: Pass): Promise<void> {
  const { query, upstream, repository, places, res } = pass;
  const url = new URL(`/v2/${upstream.name}/blobs/uploads/`, upstream.transport.origin);
  const digest = query.get("digest");
  const mounted = await mountable(pass);
  if (mounted !== undefined) {
    url.searchParams.set("mount", mounted.digest);
    url.searchParams.set("from", mounted.from);
  } else if (digest !== null && !query.has("mount")) {
    url.searchParams.set("digest", parseContentDigest(digest));
  }
  const doing = `beginning an upload to ${upstream.name}`;
  const reply = await upstream.transport.call({ method: "POST", url, ...bodyOf(pass), doing }, 201, 202);
  await discard(reply);
  const whole = mounted?.digest ?? digest;
  if (reply.response.status === 201 && whole !== null) return created(pass, reply, parseContentDigest(whole));
  const id = places.begin(repository, await callerOf(pass), uploadPlace(reply.response, reply.url, doing));
  sendEmpty(res, 202, progress(repository, id, reply));
}

/** GET of an upload: how far it came. */
export async function passUploadStatus(pass: Pass, id: string): Promise<void> {
  const url = await placeOf(pass, id);
  const doing = `asking how far an upload to ${pass.upstream.name} came`;
  const reply = await pass.upstream.transport.call({ method: "GET", url, doing }, 204, 202, 200);
  await discard(reply);
  moved(pass, id, reply);
  sendEmpty(pass.res, 204, progress(pass.repository, id, reply));
}

/** PATCH of an upload: a chunk. */
export async function passChunk(pass: Pass, id: string): Promise<void> {
  const url = await placeOf(pass, id);
  const doing = `sending a chunk to ${pass.upstream.name}`;
  const reply = await pass.upstream.transport.call({ method: "PATCH", url, ...bodyOf(pass), doing }, 202, 201, 204);
  await discard(reply);
  moved(pass, id, reply);
  sendEmpty(pass.res, 202, progress(pass.repository, id, reply));
}

/** PUT of an upload: the last chunk if there is one, and the digest of the whole. */
export async function passUploadEnd(pass: Pass, id: string): Promise<void> {
  const digest = parseContentDigest(pass.query.get("digest") ?? "");
  const url = new URL(await placeOf(pass, id));
  url.searchParams.set("digest", digest);
  const doing = `pushing blob ${digest} to ${pass.upstream.name}`;
  const reply = await pass.upstream.transport.call({ method: "PUT", url, ...bodyOf(pass), doing }, 201, 204);
  await discard(reply);
  pass.places.end(id);
  created(pass, reply, digest);
}

/** DELETE of an upload. */
export async function passUploadCancel(pass: Pass, id: string): Promise<void> {
  const url = await placeOf(pass, id);
  const doing = `cancelling an upload to ${pass.upstream.name}`;
  await discard(await pass.upstream.transport.call({ method: "DELETE", url, doing }, 204, 202, 200, 404));
  pass.places.end(id);
  sendEmpty(pass.res, 204);
}

/** Where the caller's own upload goes on; a 404 for anybody else's. */
async function placeOf(pass: Pass, id: string): Promise<URL> {
  return pass.places.find(pass.repository, id, await callerOf(pass));
}

async function callerOf({ options, req }: Pass): Promise<string> {
  return (await options.callerOf?.(req)) ?? "";
}

/** Nobody learns through a mount what a repository holds that they may not read. */
async function mountable({
  req,
  query,
  options,
  upstreams,
}: Pass): Promise<{ digest: string; from: string } | undefined> {
  const [digest, from] = [query.get("mount"), query.get("from")];
  if (digest === null || from === null || !isContentDigest(digest)) return undefined;
  const source = parseRepository(from);
  if (await options.authorize(req, { repository: source, action: "pull" })) return undefined;
  return { digest, from: upstreams.of(source).name };
}

function bodyOf({ req }: Pass): Pick<Call, "body" | "headers"> {
  const { "content-type": type = "application/octet-stream", "content-range": range } = req.headers;
  const headers = { "Content-Type": type, ...(range === undefined ? {} : { "Content-Range": range }) };
  const size = announcedLength(req);
  if (size === 0 || (size === undefined && req.headers["transfer-encoding"] === undefined)) {
    return { headers, body: new Uint8Array() };
  }
  return { headers, body: { stream: requestBody(req), size } };
}

function moved({ places, upstream }: Pass, id: string, { response, url }: Reply): void {
  if (response.headers.get("location") === null) return;
  places.move(id, uploadPlace(response, url, `uploading to ${upstream.name}`));
}

function created({ res, repository }: Pass, { response }: Reply, digest: ContentDigest): void {
  requireEcho(response, digest);
  sendEmpty(res, 201, { Location: `/v2/${repository}/blobs/${digest}`, "Docker-Content-Digest": digest });
}

function progress(repository: string, id: string, { response }: Reply): Record<string, string> {
  return {
    Location: `/v2/${repository}/blobs/uploads/${id}`,
    "Docker-Upload-UUID": id,
    Range: "0-0",
    ...kept(response.headers, "Range", "OCI-Chunk-Min-Length"),
  };
}
