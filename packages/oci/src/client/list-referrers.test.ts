import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type TestContext, test } from "node:test";
import { copyArtifact } from "../artifact/copy.ts";
import { type Descriptor, describe, emptyBytes, emptyDescriptor } from "../artifact/descriptor.ts";
import { encodeImageIndex, encodeImageManifest } from "../artifact/manifest.ts";
import { mediaTypes } from "../artifact/media-types.ts";
import { referrersTag } from "../artifact/reference.ts";
import { formatTime } from "../artifact/referrer-filter.ts";
import { ImageLayout } from "../layout/image-layout.ts";
import type { ContentDigest } from "../storage/content-digest.ts";
import { loopbackRegistry, serve, temporaryFolder } from "../testing/loopback-registry.ts";
import type { Listing } from "./list-referrers.ts";
import { RegistryClient } from "./registry-client.ts";

const subject = describe(mediaTypes.imageManifest, new TextEncoder().encode("a model"));
const numbered = (n: number): Descriptor => ({
  mediaType: mediaTypes.imageManifest,
  digest: `sha256:${n.toString(16).padStart(8, "0").repeat(8)}` as ContentDigest,
  size: 100,
  artifactType: "a/b",
});

/** A registry whose pages are as told: `?page=N` and so on, the first without. */
async function pagesOf(
  t: TestContext,
  page: (n: number, req: IncomingMessage) => { manifests: readonly unknown[]; next?: string; filters?: string },
): Promise<RegistryClient> {
  const url = await serve(t, (req, res) => {
    const n = Number(new URL(req.url!, "http://x").searchParams.get("page") ?? 0);
    const { manifests, next = `?page=${n + 1}`, filters } = page(n, req);
    if (next !== "") res.setHeader("Link", `<${next}>; rel="next"`);
    if (filters !== undefined) res.setHeader("OCI-Filters-Applied", filters);
    res.end(JSON.stringify({ schemaVersion: 2, manifests }));
  });
  return new RegistryClient({ url, repository: "m" });
}

const digests = async (found: AsyncIterable<Descriptor>) => (await Array.fromAsync(found)).map(({ digest }) => digest);

test("the end of a page shows while the rest of it is still on the way", async (t) => {
  const rest: { send?: () => void } = {};
  const url = await serve(t, (_req, res: ServerResponse) => {
    res.write(`{"schemaVersion":2,"manifests":[${JSON.stringify(numbered(1))}`);
    rest.send = () => res.end(`,${JSON.stringify(numbered(2))}]}`);
  });
  const found = new RegistryClient({ url, repository: "m" }).referrers(subject.digest);
  assert.deepEqual((await found.next()).value, numbered(1));
  rest.send!();
  assert.deepEqual((await found.next()).value, numbered(2));
  assert.equal((await found.next()).done, true);
});

test("a referrer bomb is refused by number and by bytes, and reading stops there", async (t) => {
  let pages = 0;
  const client = await pagesOf(t, (n) => {
    pages += 1;
    return { manifests: Array.from({ length: 100 }, (_, i) => numbered(n * 100 + i + 1)) };
  });
  const limited = (limits: object) => digests(client.referrers(subject.digest, {}, { limits }));
  await assert.rejects(limited({ referrers: 1_000 }), { code: "too-large", message: /more than 1000 of them/ });
  assert.equal(pages, 11);
  await assert.rejects(limited({ bytes: 50_000 }), { code: "too-large", message: /more than 50000 bytes/ });
});

test("pages that go in circles are refused: the same address, the same content under new addresses", async (t) => {
  const three = await pagesOf(t, (n) => ({ manifests: [numbered(n + 1)], next: `?page=${(n + 1) % 3}` }));
  await assert.rejects(digests(three.referrers(subject.digest)), { code: "protocol", message: /in circles/ });
  const same = await pagesOf(t, (n) => ({ manifests: [numbered((n % 3) + 1)] }));
  await assert.rejects(digests(same.referrers(subject.digest)), { code: "protocol", message: /in circles/ });
});

test("endless empty pages are refused, some are not", async (t) => {
  const endless = await pagesOf(t, () => ({ manifests: [] }));
  await assert.rejects(digests(endless.referrers(subject.digest)), { code: "protocol", message: /empty/ });
  const some = await pagesOf(t, (n) => (n < 50 ? { manifests: [] } : { manifests: [numbered(1)], next: "" }));
  assert.deepEqual(await digests(some.referrers(subject.digest)), [numbered(1).digest]);
});

test("what a registry lists twice is given once", async (t) => {
  const client = await pagesOf(t, (n) => ({
    manifests: [numbered(n + 1), numbered(n + 2), numbered(n + 1)],
    ...(n === 3 ? { next: "" } : {}),
  }));
  assert.deepEqual(
    await digests(client.referrers(subject.digest)),
    [1, 2, 3, 4, 5].map((n) => numbered(n).digest),
  );
});

test("a next page elsewhere gets no request, whatever its form", async (t) => {
  let asked = 0;
  const elsewhere = await serve(t, (_req, res) => {
    asked += 1;
    res.end();
  });
  for (const next of [`${elsewhere}/v2/`, `//${new URL(elsewhere).host}/v2/`, "file:///etc/passwd", "http://["]) {
    const client = await pagesOf(t, () => ({ manifests: [numbered(1)], next }));
    await assert.rejects(digests(client.referrers(subject.digest)), { code: "protocol", message: /next page/ }, next);
  }
  assert.equal(asked, 0);
});

test("a registry that knows no device and no time is sifted here by the annotations, and it is said", async (t) => {
  const said = (device: string, time: number) => ({
    "tally.device": device,
    "tally.time.from": formatTime(time),
    "tally.time.to": formatTime(time),
  });
  const manifests = [
    { ...numbered(1), annotations: said("d1", 5) },
    { ...numbered(2), annotations: said("d2", 5) },
    { ...numbered(3), annotations: said("d1", 50) },
    numbered(4),
  ];
  const client = await pagesOf(t, () => ({ manifests, next: "", filters: "artifactType" }));
  const heard: Listing[] = [];
  const filter = { artifactType: "a/b", device: "d1", until: 10 };
  const found = client.referrers(subject.digest, filter, { onListing: (listing) => heard.push(listing) });
  assert.deepEqual(await digests(found), [numbered(1).digest]);
  assert.deepEqual(heard, [{ way: "api", sifted: ["tally.device", "tally.until"] }]);
});

test("Tally's own registry applies all filters itself", async (t) => {
  const { url } = await loopbackRegistry(t);
  const client = new RegistryClient({ url, repository: "m" });
  const heard: Listing[] = [];
  const filter = { artifactType: "a/b", device: "d1", since: 1, until: 10 };
  await digests(client.referrers(subject.digest, filter, { onListing: (listing) => heard.push(listing) }));
  assert.deepEqual(heard, [{ way: "api", sifted: [] }]);
});

test("where there is only the referrers tag, a list that no manifest can hold is refused with what to do", async (t) => {
  const listed = encodeImageIndex([numbered(1), numbered(1), numbered(2)]);
  let body = Buffer.from(listed.bytes);
  const url = await serve(t, (req, res) => {
    if (req.url !== `/v2/m/manifests/${referrersTag(subject.digest)}`) return res.writeHead(404).end();
    res.writeHead(200, { "Content-Type": mediaTypes.imageIndex }).end(body);
  });
  const client = new RegistryClient({ url, repository: "m" });
  const heard: Listing[] = [];
  const found = client.referrers(subject.digest, "a/b", { onListing: (listing) => heard.push(listing) });
  assert.deepEqual(await digests(found), [numbered(1).digest, numbered(2).digest]);
  assert.deepEqual(heard, [{ way: "tag", sifted: ["artifactType"] }]);
  body = Buffer.alloc(5_000_000, " ");
  await assert.rejects(digests(client.referrers(subject.digest)), (error: Error & { code?: string; hint?: string }) => {
    assert.equal(error.code, "too-large");
    assert.match(error.message, /list of referrers under the tag sha256-/);
    assert.match(error.hint ?? "", /no referrers API/);
    return true;
  });
});

test("a registry that lists two manifests as each other's subject does not make a copy go in circles", async (t) => {
  const made = (n: string) => encodeImageManifest({ layers: [], subject, artifactType: "a/b", annotations: { n } });
  const [one, two] = [made("1"), made("2")];
  const registry = await loopbackRegistry(t, {
    intercept: (req, res) => {
      const of = /referrers\/(sha256:[0-9a-f]{64})/.exec(req.url!)?.[1];
      if (of === undefined) return false;
      const manifests = [of === one.descriptor.digest ? two.descriptor : one.descriptor];
      res.end(JSON.stringify({ schemaVersion: 2, manifests }));
      return true;
    },
  });
  const client = new RegistryClient({ url: registry.url, repository: "m" });
  await client.pushBlob(emptyDescriptor, emptyBytes);
  for (const { bytes, descriptor } of [one, two]) await client.pushManifest(bytes, descriptor.mediaType);
  const layout = await ImageLayout.create(await temporaryFolder(t));
  // Neither names the other: that alone ends it. Digests cannot really go in a circle.
  await assert.rejects(copyArtifact(client, layout, one.descriptor.digest, { referrers: "all" }), {
    code: "protocol",
    message: /is listed as referring to .*, and does not/,
  });
});
