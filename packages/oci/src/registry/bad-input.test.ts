import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { describe, emptyBytes, emptyDescriptor } from "../artifact/descriptor.ts";
import { encodeImageManifest, largestManifest } from "../artifact/manifest.ts";
import { mediaTypes } from "../artifact/media-types.ts";
import { contentDigestOf } from "../storage/content-digest.ts";
import { type LoopbackRegistry, loopbackRegistry } from "../testing/loopback-registry.ts";
import { errorOf, Pusher, utf8 } from "../testing/pushes.ts";

const blob = utf8("0123456789");
const digest = contentDigestOf(blob);

/** What is answered to bytes as they are, without a client that would tidy them up: the status of the first answer. */
async function raw({ url }: LoopbackRegistry, request: string): Promise<number> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  socket.end(request);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(socket, "close");
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(Buffer.concat(chunks).toString("latin1"))?.[1]);
}

test("digest confusion: one algorithm's name over another's digits, and content asked for by a digest that it was not pushed by", async (t) => {
  const registry = await loopbackRegistry(t);
  const client = new Pusher(registry.url);
  await client.blob("m", blob);
  const long = contentDigestOf(blob, "sha512");
  const hex = { short: digest.slice(7), long: long.slice(7) };
  for (const wrong of [
    `sha256:${hex.long}`,
    `sha512:${hex.short}`,
    `sha512:${hex.short}${hex.short}0`,
    `SHA256:${hex.short}`,
    `sha256:${hex.short.toUpperCase()}`,
    `sha256-${hex.short}:`,
    `sha256+b64:${hex.short}`,
    `sha1:${hex.short.slice(0, 40)}`,
    `sha256:${hex.short}%0a`,
    `sha256:${hex.short.slice(0, -1)}\uff10`,
  ]) {
    const path = `m/blobs/${encodeURI(wrong).replaceAll("%25", "%")}`;
    const answer = await errorOf(await client.request("GET", path));
    assert.deepEqual([answer.status, answer.code], [400, "DIGEST_INVALID"], wrong);
    const begun = await client.request("POST", `m/blobs/uploads/?digest=${encodeURIComponent(wrong)}`, blob);
    assert.equal(begun.status, 400, wrong);
  }
  // The same bytes, under a name that nobody pushed them by.
  assert.equal(await client.status("GET", `m/blobs/${long}`), 404);
  const image = encodeImageManifest({ artifactType: "a/b", layers: [describe("a/b", blob)] });
  await client.blob("m", emptyBytes);
  const other = contentDigestOf(utf8("other"), "sha512");
  const mismatch = await client.manifest("m", other, image.bytes, mediaTypes.imageManifest);
  assert.deepEqual([mismatch.status, (await errorOf(mismatch)).code], [400, "DIGEST_INVALID"]);
  assert.equal(await client.status("GET", `m/manifests/${other}`), 404);
});

test("names in percent signs, dots and other letters reach nothing, and no path makes the registry fail", async (t) => {
  const registry = await loopbackRegistry(t);
  const client = new Pusher(registry.url);
  await client.blob("team/secret", blob);
  for (const path of [
    `/v2/team%2Fsecret/blobs/${digest}`,
    `/v2/team/secret%00/blobs/${digest}`,
    `/v2/team/%73ecret/blobs/${digest}`,
    `/v2/TEAM/secret/blobs/${digest}`,
    `/v2/team//secret/blobs/${digest}`,
    `/v2/team/secret./blobs/${digest}`,
    `/v2/team/ſecret/blobs/${digest}`,
    `/v2/team/s\u200becret/blobs/${digest}`,
    `/v2/team/secret/blobs/${digest}%2f..`,
    `/v2/team/secret/blobs/..%2f..%2f${digest}`,
    "/v2/team/secret/manifests/%2e%2e",
    "/v2/team/secret/manifests/..%2Fv1",
    "/v2/team/secret/manifests/%ff",
    "/v2/team/secret/manifests/%",
    "/v2/team/secret/blobs/uploads/..%2f..%2fsha256",
    "/v2/team/secret/tags/list/",
    "//",
    "/\\",
    "//v2//",
    "http://",
    "http://[/v2/",
  ]) {
    const status = await raw(
      registry,
      `GET ${Buffer.from(path).toString("latin1")} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    assert.ok(status === 400 || status === 404, `${JSON.stringify(path)} is answered with ${status}`);
  }
  assert.deepEqual(registry.failures, []);
});

test("tags and names are taken up to their limit and not beyond", async (t) => {
  const client = new Pusher((await loopbackRegistry(t)).url);
  for (const [repository, tag, status] of [
    ["m", "t".repeat(128), 201],
    ["m", "t".repeat(129), 400],
    ["m".repeat(255), "v1", 201],
    ["m".repeat(256), "v1", 400],
    ["m", ".hidden", 400],
    ["m", "-flag", 400],
  ] as const) {
    const known = encodeImageManifest({ artifactType: "a/b", layers: [] });
    await client.blob(repository, emptyBytes);
    const pushed = await client.manifest(repository, tag, known.bytes, mediaTypes.imageManifest);
    assert.equal(pushed.status, status, `${repository.length} ${tag.length} ${tag.slice(0, 8)}`);
  }
});

test("HEAD says what GET says, of blobs, manifests and what is not there", async (t) => {
  const client = new Pusher((await loopbackRegistry(t)).url);
  const image = await client.image("m", "weights", { tag: "v1" });
  const said = ["content-length", "content-type", "docker-content-digest", "etag", "accept-ranges"];
  for (const path of [
    "m/manifests/v1",
    `m/manifests/${image.descriptor.digest}`,
    `m/blobs/${image.layer.digest}`,
    "m/manifests/v9",
    `m/blobs/${digest}`,
  ]) {
    const [head, get] = [await client.request("HEAD", path), await client.request("GET", path)];
    await get.arrayBuffer();
    const of = ({ status, headers }: Response) => [status, ...said.map((name) => headers.get(name))];
    assert.deepEqual(of(head), of(get), path);
  }
});

test("ranges that are too large, too many, backwards or no numbers are refused or ignored, never served as something else", async (t) => {
  const registry = await loopbackRegistry(t);
  const client = new Pusher(registry.url);
  for (const content of [blob, new Uint8Array(0)]) await client.blob("m", content);
  for (const [range, status, body] of [
    [`bytes=0-${"9".repeat(15)}`, 206, "0123456789"],
    [`bytes=0-${"9".repeat(30)}`, 200, "0123456789"],
    [`bytes=${"9".repeat(15)}-`, 416, undefined],
    ["bytes=-0", 416, undefined],
    ["bytes=-99", 206, "0123456789"],
    ["bytes=5-4", 416, undefined],
    [`bytes=${Array.from({ length: 2000 }, () => "0-").join(",")}`, 200, "0123456789"],
    ["bytes=0x1-0x2", 200, "0123456789"],
    ["bytes=1e0-2", 200, "0123456789"],
    ["bytes=--1", 200, "0123456789"],
    ["bits=0-1", 200, "0123456789"],
  ] as const) {
    const answer = await client.request("GET", `m/blobs/${digest}`, undefined, { Range: range });
    assert.equal(answer.status, status, range.slice(0, 40));
    const text = await answer.text();
    if (body !== undefined) assert.equal(text, body);
  }
  const empty = `m/blobs/${contentDigestOf(new Uint8Array(0))}`;
  assert.equal((await client.request("GET", empty, undefined, { Range: "bytes=0-0" })).status, 416);
  assert.deepEqual(registry.failures, []);
});

test("a request with two lengths, or another than it has, stores nothing", async (t) => {
  const registry = await loopbackRegistry(t);
  const line = `POST /v2/m/blobs/uploads/?digest=${digest} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n`;
  const both = `${line}Content-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n`;
  assert.equal(await raw(registry, both), 400);
  assert.equal(await raw(registry, `${line}Content-Length: 10\r\nContent-Length: 9\r\n\r\n0123456789`), 400);
  assert.equal(await raw(registry, `${line}Content-Length: -10\r\n\r\n0123456789`), 400);
  // One byte fewer than there are: those that it announced are not what the digest names.
  assert.equal(await raw(registry, `${line}Content-Length: 9\r\n\r\n0123456789`), 400);
  // One more: the rest never comes.
  await raw(registry, `${line}Content-Length: 11\r\n\r\n0123456789`);
  await raw(registry, `${line}Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n`);
  assert.equal(await new Pusher(registry.url).status("GET", `m/blobs/${digest}`), 404);
  assert.deepEqual(await Array.fromAsync(registry.blobs.list()), []);
});

test("a manifest of tens of thousands of layers that are not there is refused with the first of them", async (t) => {
  const client = new Pusher((await loopbackRegistry(t)).url);
  await client.blob("m", emptyBytes);
  const layers = Array.from({ length: 28_000 }, (_, n) => ({
    mediaType: "a/b",
    digest: `sha256:${n.toString(16).padStart(64, "0")}`,
    size: n,
  }));
  const json = { schemaVersion: 2, mediaType: mediaTypes.imageManifest, config: emptyDescriptor, layers };
  const bytes = utf8(JSON.stringify(json));
  assert.ok(bytes.length > 3_000_000 && bytes.length < largestManifest);
  const answer = await client.manifest("m", "v1", bytes, mediaTypes.imageManifest);
  const { errors } = (await answer.json()) as { errors: { code: string; detail: unknown[] }[] };
  assert.equal(answer.status, 404);
  assert.equal(errors[0]!.code, "MANIFEST_BLOB_UNKNOWN");
  assert.equal(errors[0]!.detail.length, 100);
  assert.equal(await client.status("GET", "m/manifests/v1"), 404);
});

test("JSON a million levels deep is an answer like any other, wherever it stands in a manifest", async (t) => {
  const registry = await loopbackRegistry(t);
  const client = new Pusher(registry.url);
  await client.blob("m", emptyBytes);
  const deep = `${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}`;
  const config = JSON.stringify(emptyDescriptor);
  const start = `{"schemaVersion":2,"mediaType":"${mediaTypes.imageManifest}"`;
  for (const body of [
    `${start},"config":${config},"layers":[],"annotations":${deep}}`,
    `${start},"config":${config},"layers":${deep}}`,
    `${start},"config":${deep},"layers":[]}`,
    `${start},"config":${config},"layers":[],"subject":${deep}}`,
    deep,
    "{".repeat(1_000_000),
    `${start},"config":${config},"layers":[],"layers":{}}`,
    `\ufeff${start},"config":${config},"layers":[]}`,
    "null",
    "",
  ]) {
    const answer = await client.manifest("m", "v1", utf8(body), mediaTypes.imageManifest);
    const { code, status } = await errorOf(answer);
    assert.deepEqual([status, code], [400, "MANIFEST_INVALID"], body.slice(0, 150));
  }
  assert.deepEqual(registry.failures, []);
});

test("a manifest of four mebibytes is taken, one byte more is not", async (t) => {
  const client = new Pusher((await loopbackRegistry(t)).url);
  await client.blob("m", emptyBytes);
  const of = (length: number) => {
    const json = { schemaVersion: 2, mediaType: mediaTypes.imageManifest, config: emptyDescriptor, layers: [] };
    const empty = utf8(JSON.stringify({ ...json, annotations: { a: "" } })).length;
    return utf8(JSON.stringify({ ...json, annotations: { a: "x".repeat(length - empty) } }));
  };
  assert.equal((await client.manifest("m", "v1", of(largestManifest), mediaTypes.imageManifest)).status, 201);
  assert.equal((await client.manifest("m", "v2", of(largestManifest + 1), mediaTypes.imageManifest)).status, 413);
});

test("a manifest sent as another type than it is, or as none that is known, is refused", async (t) => {
  const client = new Pusher((await loopbackRegistry(t)).url);
  const image = await client.image("m", "weights", { tag: "v1" });
  for (const type of [mediaTypes.imageIndex, "application/json", "text/html", "a/b", `${mediaTypes.imageManifest}x`]) {
    const { status, code } = await errorOf(await client.manifest("m", "v2", image.bytes, type));
    assert.deepEqual([status, code], [400, "MANIFEST_INVALID"], type);
  }
});
