import assert from "node:assert/strict";
import { readdir, stat, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { describe, emptyBytes, emptyDescriptor } from "../artifact/descriptor.ts";
import { encodeImageIndex, encodeImageManifest } from "../artifact/manifest.ts";
import { mediaTypes } from "../artifact/media-types.ts";
import { OciError } from "../error.ts";
import { contentDigestOf } from "../storage/content-digest.ts";
import { FileBlobStore } from "../storage/file-blob-store.ts";
import { type LoopbackRegistry, loopbackRegistry, temporaryFolder, tokens } from "../testing/loopback-registry.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const blob = bytes("0123456789");
const digest = contentDigestOf(blob);
const manifestHeaders = { "Content-Type": mediaTypes.imageManifest };

async function errorCode(response: Response): Promise<string> {
  const body = (await response.json()) as { errors: { code: string; message: string }[] };
  assert.notEqual(body.errors[0]!.message, "");
  return body.errors[0]!.code;
}

async function post(registry: LoopbackRegistry, repository: string, content: Uint8Array): Promise<Response> {
  const url = `${registry.url}/v2/${repository}/blobs/uploads/?digest=${contentDigestOf(content)}`;
  return fetch(url, { method: "POST", body: content as BodyInit });
}

async function begin(registry: LoopbackRegistry, repository = "m"): Promise<string> {
  const begun = await fetch(`${registry.url}/v2/${repository}/blobs/uploads/`, { method: "POST" });
  assert.equal(begun.status, 202);
  return `${registry.url}${begun.headers.get("location")}`;
}

function chunk(upload: string, from: number, to: number, content = blob.subarray(from, to)): Promise<Response> {
  return fetch(upload, {
    method: "PATCH",
    body: content as BodyInit,
    headers: { "Content-Range": `${from}-${to - 1}` },
  });
}

async function putManifest(
  registry: LoopbackRegistry,
  body: Uint8Array,
  reference = "v1",
  repository = "m",
): Promise<Response> {
  const url = `${registry.url}/v2/${repository}/manifests/${reference}`;
  return fetch(url, { method: "PUT", body: body as BodyInit, headers: manifestHeaders });
}

/** A pushed manifest with one layer, `text`. */
async function pushImage(
  registry: LoopbackRegistry,
  text: string,
  reference = "v1",
  more: { subject?: ReturnType<typeof describe> } = {},
) {
  const layer = describe("application/vnd.example", bytes(text));
  await post(registry, "m", emptyBytes);
  await post(registry, "m", bytes(text));
  const image = encodeImageManifest({ artifactType: "application/vnd.example", layers: [layer], ...more });
  const response = await putManifest(registry, image.bytes, reference === "" ? image.descriptor.digest : reference);
  assert.equal(response.status, 201);
  return { ...image, layer, response };
}

test("the version check answers, and everything that is no endpoint does not", async (t) => {
  const registry = await loopbackRegistry(t);
  assert.equal((await fetch(`${registry.url}/v2/`)).status, 200);
  assert.equal((await fetch(`${registry.url}/v2/m/nonsense`)).status, 404);
  assert.equal(await errorCode(await fetch(`${registry.url}/v2/UPPER/tags/list`)), "NAME_INVALID");
  assert.equal(await errorCode(await fetch(`${registry.url}/v2/m/blobs/sha256:12`)), "DIGEST_INVALID");
  const wrongMethod = await fetch(`${registry.url}/v2/m/tags/list`, { method: "POST" });
  assert.equal(wrongMethod.status, 405);
  assert.equal(wrongMethod.headers.get("allow"), "GET");
});

test("a blob pushed in one request is served whole and in ranges", async (t) => {
  const registry = await loopbackRegistry(t);
  const pushed = await post(registry, "m", blob);
  assert.equal(pushed.status, 201);
  const url = `${registry.url}${pushed.headers.get("location")}`;
  const whole = await fetch(url);
  assert.equal(await whole.text(), "0123456789");
  assert.equal(whole.headers.get("docker-content-digest"), digest);
  const head = await fetch(url, { method: "HEAD" });
  assert.equal(head.headers.get("content-length"), "10");

  const range = async (header: string) => {
    const response = await fetch(url, { headers: { Range: header } });
    return [response.status, await response.text(), response.headers.get("content-range")];
  };
  assert.deepEqual(await range("bytes=2-4"), [206, "234", "bytes 2-4/10"]);
  assert.deepEqual(await range("bytes=7-"), [206, "789", "bytes 7-9/10"]);
  assert.deepEqual(await range("bytes=-2"), [206, "89", "bytes 8-9/10"]);
  assert.deepEqual(await range("bytes=8-99"), [206, "89", "bytes 8-9/10"]);
  assert.deepEqual(await range("bytes=0-1,4-5"), [200, "0123456789", null]);
  assert.equal((await range("bytes=10-"))[0], 416);
  assert.equal((await range("bytes=4-2"))[0], 416);
});

test("a blob arrives in chunks, and its upload says how far it came", async (t) => {
  const registry = await loopbackRegistry(t);
  const upload = await begin(registry);
  const first = await chunk(upload, 0, 4);
  assert.equal(first.status, 202);
  assert.equal(first.headers.get("range"), "0-3");
  const status = await fetch(upload);
  assert.equal(status.status, 204);
  assert.equal(status.headers.get("range"), "0-3");
  await chunk(upload, 4, 8);
  const last = { method: "PUT", body: blob.subarray(8) as BodyInit, headers: { "Content-Range": "8-9" } };
  assert.equal((await fetch(`${upload}?digest=${digest}`, last)).status, 201);
  assert.deepEqual(await registry.blobs.bytes(digest, 100), blob);
  assert.equal(await errorCode(await fetch(upload)), "BLOB_UPLOAD_UNKNOWN");
});

test("chunks with gaps, overlaps or other lengths than they say are refused and leave the upload as it was", async (t) => {
  const registry = await loopbackRegistry(t);
  const upload = await begin(registry);
  assert.equal((await chunk(upload, 1, 4)).status, 416);
  await chunk(upload, 0, 4);
  assert.equal((await chunk(upload, 3, 6)).status, 416);
  assert.equal((await chunk(upload, 5, 6)).status, 416);
  assert.equal(await errorCode(await chunk(upload, 4, 7, blob.subarray(4, 6))), "SIZE_INVALID");
  assert.equal((await chunk(upload, 4, 3, new Uint8Array())).status, 400);
  assert.equal((await fetch(upload)).headers.get("range"), "0-3");

  // Without an announced length, the range alone says how much is to come.
  const stream = (content: Uint8Array) =>
    fetch(upload, {
      method: "PATCH",
      body: new Blob([content as BlobPart]).stream(),
      duplex: "half",
      headers: { "Content-Range": "4-6" },
    } as RequestInit);
  assert.equal(await errorCode(await stream(blob.subarray(4, 6))), "SIZE_INVALID");
  assert.equal(await errorCode(await stream(blob.subarray(4, 9))), "SIZE_INVALID");
  assert.equal((await fetch(upload)).headers.get("range"), "0-3");
});

test("bytes that are not what their digest says never become a blob", async (t) => {
  const registry = await loopbackRegistry(t);
  const lie = contentDigestOf(bytes("something else"));
  const whole = await fetch(`${registry.url}/v2/m/blobs/uploads/?digest=${lie}`, { method: "POST", body: blob });
  assert.equal(whole.status, 400);
  assert.equal(await errorCode(whole), "DIGEST_INVALID");
  const upload = await begin(registry);
  await chunk(upload, 0, 9);
  const finish = (last: Uint8Array) => fetch(`${upload}?digest=${digest}`, { method: "PUT", body: last as BodyInit });
  assert.equal(await errorCode(await finish(bytes("X"))), "DIGEST_INVALID");
  assert.equal((await fetch(`${registry.url}/v2/m/blobs/${digest}`)).status, 404);
  assert.equal((await finish(blob.subarray(9))).status, 201);
  assert.deepEqual(registry.failures, []);
});

test("a connection that breaks in the middle leaves no blob, and the upload can go on from there", async (t) => {
  const registry = await loopbackRegistry(t);
  const upload = new URL(await begin(registry));
  const req = request(upload, { method: "PATCH", headers: { "Content-Length": 10, "Content-Range": "0-9" } });
  const broken = new Promise((resolve) => req.on("close", resolve));
  req.on("error", () => undefined);
  req.write(blob.subarray(0, 6));
  const staged = join(registry.dir, "blobs", "staged", upload.pathname.split("/").at(-1)!);
  while ((await stat(staged).catch(() => undefined))?.size !== 6);
  req.destroy();
  await broken;
  // The server hears of the break in its own time, and says until then what it had before the chunk.
  while ((await fetch(upload)).headers.get("range") !== "0-5");
  const rest = await chunk(upload.href, 6, 10);
  assert.equal(rest.status, 202);
  assert.equal((await fetch(`${upload.href}?digest=${digest}`, { method: "PUT" })).status, 201);
});

test("an upload belongs to its repository and can be cancelled", async (t) => {
  const registry = await loopbackRegistry(t);
  const upload = await begin(registry);
  const foreign = upload.replace("/v2/m/", "/v2/other/");
  assert.equal(await errorCode(await fetch(foreign)), "BLOB_UPLOAD_UNKNOWN");
  await chunk(upload, 0, 4);
  assert.equal((await fetch(upload, { method: "DELETE" })).status, 204);
  assert.equal((await fetch(upload)).status, 404);
  assert.deepEqual(await Array.fromAsync(registry.blobs.staged()), []);
});

test("uploads are bounded in number and expire", async (t) => {
  let now = 1_000_000;
  const registry = await loopbackRegistry(t, { clock: { now: () => now }, limits: { uploads: 2, uploadAge: 1_000 } });
  const old = await begin(registry);
  await chunk(old, 0, 4);
  await begin(registry);
  const tooMany = await fetch(`${registry.url}/v2/m/blobs/uploads/`, { method: "POST" });
  assert.equal(tooMany.status, 429);
  assert.equal(await errorCode(tooMany), "TOOMANYREQUESTS");
  now += 1_001;
  await begin(registry);
  assert.equal((await fetch(old)).status, 404);
});

test("after a restart uploads go on, and bytes that belong to no upload are gone", async (t) => {
  const dir = await temporaryFolder(t);
  const before = await loopbackRegistry(t, { dir });
  const upload = await begin(before);
  await chunk(upload, 0, 4);
  await (await before.blobs.stage("orphan")).append(0, blob);

  const after = await loopbackRegistry(t, { dir });
  const resumed = upload.replace(before.url, after.url);
  assert.equal((await fetch(resumed)).headers.get("range"), "0-3");
  assert.equal((await chunk(resumed, 4, 10)).status, 202);
  assert.equal((await fetch(`${resumed}?digest=${digest}`, { method: "PUT" })).status, 201);
  assert.deepEqual(await readdir(join(dir, "blobs", "staged")), []);
});

test("a blob is readable through the repositories that it was pushed to or mounted into, and through no other", async (t) => {
  const authorize = tokens({ a: ["pull a", "push a"], b: ["pull b", "push b"], both: ["pull a", "push b", "pull b"] });
  const registry = await loopbackRegistry(t, { authorize });
  const as = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });
  await fetch(`${registry.url}/v2/a/blobs/uploads/?digest=${digest}`, { method: "POST", body: blob, ...as("a") });
  const inB = () => fetch(`${registry.url}/v2/b/blobs/${digest}`, as("b"));
  const mount = (token: string) =>
    fetch(`${registry.url}/v2/b/blobs/uploads/?mount=${digest}&from=a`, { method: "POST", ...as(token) });

  assert.equal((await inB()).status, 404);
  assert.equal((await fetch(`${registry.url}/v2/a/blobs/${digest}`, as("b"))).status, 403);
  // Naming a digest is not having the bytes.
  const claim = await fetch(`${registry.url}/v2/b/blobs/uploads/?digest=${digest}`, {
    method: "POST",
    body: "",
    ...as("b"),
  });
  assert.equal(claim.status, 400);
  assert.equal((await mount("b")).status, 202);
  assert.equal((await inB()).status, 404);
  assert.equal((await mount("both")).status, 201);
  assert.equal(await (await inB()).text(), "0123456789");
});

test("without credentials the challenge is sent, also for the version check; without the right, the refusal", async (t) => {
  const registry = await loopbackRegistry(t, { authorize: tokens({ reader: ["pull m"] }) });
  const anonymous = await fetch(`${registry.url}/v2/`);
  assert.equal(anonymous.status, 401);
  assert.match(anonymous.headers.get("www-authenticate")!, /^Basic realm="tally"$/);
  assert.equal(await errorCode(anonymous), "UNAUTHORIZED");
  const headers = { Authorization: "Bearer reader" };
  assert.equal((await fetch(`${registry.url}/v2/`, { headers })).status, 200);
  const push = await fetch(`${registry.url}/v2/m/blobs/uploads/`, { method: "POST", headers });
  assert.equal(await errorCode(push), "DENIED");
  const remove = await fetch(`${registry.url}/v2/m/manifests/v1`, { method: "DELETE", headers });
  assert.equal(remove.status, 403);
});

test("a manifest comes back byte for byte, by tag and by digest, with the type it was pushed as", async (t) => {
  const registry = await loopbackRegistry(t);
  await post(registry, "m", emptyBytes);
  const oddly = bytes(`{ "layers":[],\n "config":${JSON.stringify(emptyDescriptor)}, "schemaVersion":2, "custom":1 }`);
  const pushed = await putManifest(registry, oddly);
  assert.equal(pushed.headers.get("docker-content-digest"), contentDigestOf(oddly));
  for (const reference of ["v1", contentDigestOf(oddly), encodeURIComponent(contentDigestOf(oddly))]) {
    const got = await fetch(`${registry.url}/v2/m/manifests/${reference}`, {
      headers: { Accept: mediaTypes.imageManifest },
    });
    assert.deepEqual(new Uint8Array(await got.arrayBuffer()), oddly);
    assert.equal(got.headers.get("content-type"), mediaTypes.imageManifest);
  }
  const notAccepted = await fetch(`${registry.url}/v2/m/manifests/v1`, { headers: { Accept: mediaTypes.imageIndex } });
  assert.equal(notAccepted.status, 406);
  const head = await fetch(`${registry.url}/v2/m/manifests/v1`, { method: "HEAD" });
  assert.equal(head.headers.get("content-length"), String(oddly.length));
});

test("a manifest under another digest, of unknown parts, of lying sizes or too large is refused and not stored", async (t) => {
  const registry = await loopbackRegistry(t);
  const image = (layers: (typeof emptyDescriptor)[]) => encodeImageManifest({ layers }).bytes;
  assert.equal(await errorCode(await putManifest(registry, image([]))), "MANIFEST_BLOB_UNKNOWN");
  await post(registry, "m", emptyBytes);
  await post(registry, "elsewhere", blob);
  const layer = describe("application/vnd.example", blob);
  assert.equal(await errorCode(await putManifest(registry, image([layer]))), "MANIFEST_BLOB_UNKNOWN");
  await post(registry, "m", blob);
  const lying = await putManifest(registry, image([{ ...layer, size: 11 }]));
  assert.equal(await errorCode(lying), "SIZE_INVALID");
  assert.equal(await errorCode(await putManifest(registry, image([layer]), digest)), "DIGEST_INVALID");
  assert.equal(await errorCode(await putManifest(registry, bytes("{}"))), "MANIFEST_INVALID");
  assert.equal((await putManifest(registry, new Uint8Array(4 * 1024 * 1024 + 1))).status, 413);
  assert.equal(await errorCode(await putManifest(registry, image([layer]), ".bad")), "NAME_INVALID");
  assert.equal((await fetch(`${registry.url}/v2/m/manifests/v1`)).status, 404);
  assert.equal(await errorCode(await fetch(`${registry.url}/v2/m/manifests/.bad`)), "MANIFEST_UNKNOWN");
  assert.equal((await fetch(`${registry.url}/v2/m/manifests/.bad`, { method: "HEAD" })).status, 404);
  assert.equal((await putManifest(registry, image([layer]))).status, 201);
  assert.deepEqual(registry.failures, []);
});

test("a manifest is no layer: its bytes are only served as what they are", async (t) => {
  const registry = await loopbackRegistry(t);
  const { bytes: body, descriptor } = await pushImage(registry, "x");
  const asLayer = encodeImageManifest({ layers: [{ ...descriptor, size: body.length }] });
  assert.equal(await errorCode(await putManifest(registry, asLayer.bytes)), "MANIFEST_BLOB_UNKNOWN");
});

test("a tag moves; one push by digest sets many", async (t) => {
  const registry = await loopbackRegistry(t);
  const one = await pushImage(registry, "one");
  const two = await pushImage(registry, "two");
  const tagged = async (tag: string) =>
    (await fetch(`${registry.url}/v2/m/manifests/${tag}`)).headers.get("docker-content-digest");
  assert.equal(await tagged("v1"), two.descriptor.digest);
  const many = await putManifest(registry, one.bytes, `${one.descriptor.digest}?tag=a&tag=b`);
  assert.equal(many.headers.get("oci-tag"), "a, b");
  assert.equal(await tagged("b"), one.descriptor.digest);
});

test("tags are listed in ASCII order, page by page", async (t) => {
  const registry = await loopbackRegistry(t);
  assert.equal(await errorCode(await fetch(`${registry.url}/v2/m/tags/list`)), "NAME_UNKNOWN");
  const { bytes: body, descriptor } = await pushImage(registry, "x", "");
  const names = ["b", "B", "a", "_", "10", "9"];
  await putManifest(registry, body, `${descriptor.digest}?${names.map((tag) => `tag=${tag}`).join("&")}`);
  const sorted = ["10", "9", "B", "_", "a", "b"];
  const all = (await (await fetch(`${registry.url}/v2/m/tags/list`)).json()) as object;
  assert.deepEqual(all, { name: "m", tags: sorted });
  const walked: string[] = [];
  for (let next: string | undefined = "/v2/m/tags/list?n=4"; next !== undefined; ) {
    const page: Response = await fetch(`${registry.url}${next}`);
    walked.push(...((await page.json()) as { tags: string[] }).tags);
    next = /<(.*)>; rel="next"/.exec(page.headers.get("link") ?? "")?.[1];
  }
  assert.deepEqual(walked, sorted);
  const none = await fetch(`${registry.url}/v2/m/tags/list?n=0`);
  assert.deepEqual(await none.json(), { name: "m", tags: [] });
  assert.equal(none.headers.get("link"), null);
  assert.equal((await fetch(`${registry.url}/v2/m/tags/list?n=x`)).status, 400);
});

test("a manifest may come before its subject, and is found by it", async (t) => {
  const registry = await loopbackRegistry(t);
  const absent = describe(mediaTypes.imageManifest, bytes("not here"));
  const empty = await fetch(`${registry.url}/v2/m/referrers/${absent.digest}`);
  assert.equal(empty.status, 200);
  assert.deepEqual(((await empty.json()) as { manifests: unknown[] }).manifests, []);
  const { response, descriptor } = await pushImage(registry, "x", "", { subject: absent });
  assert.equal(response.headers.get("oci-subject"), absent.digest);
  const found = await fetch(`${registry.url}/v2/m/referrers/${absent.digest}`);
  assert.equal(found.headers.get("content-type"), mediaTypes.imageIndex);
  assert.deepEqual(((await found.json()) as { manifests: unknown[] }).manifests, [
    { ...descriptor, artifactType: "application/vnd.example" },
  ]);
  assert.equal((await fetch(`${registry.url}/v2/m/referrers/sha256:1`)).status, 400);
});

test("a page of referrers is bounded in bytes as well as in number", async (t) => {
  const registry = await loopbackRegistry(t);
  await post(registry, "m", emptyBytes);
  const subject = describe(mediaTypes.imageManifest, bytes("s"));
  for (const n of ["1", "2", "3"]) {
    const { bytes: body, descriptor } = encodeImageManifest({
      layers: [],
      subject,
      annotations: { n, bulk: "x".repeat(3_000_000) },
    });
    assert.equal((await putManifest(registry, body, descriptor.digest)).status, 201);
  }
  let next: string | undefined = `/v2/m/referrers/${subject.digest}`;
  const counts: number[] = [];
  while (next !== undefined) {
    const page: Response = await fetch(`${registry.url}${next}`);
    counts.push(((await page.json()) as { manifests: unknown[] }).manifests.length);
    next = /<(.*)>; rel="next"/.exec(page.headers.get("link") ?? "")?.[1];
  }
  assert.deepEqual(counts, [1, 1, 1]);
});

test("deleting a manifest takes its tags along; what is still needed stays", async (t) => {
  const registry = await loopbackRegistry(t);
  const remove = (path: string) => fetch(`${registry.url}/v2/m/${path}`, { method: "DELETE" });
  const { descriptor, layer } = await pushImage(registry, "x");
  const index = encodeImageIndex([descriptor]);
  const headers = { "Content-Type": mediaTypes.imageIndex };
  await fetch(`${registry.url}/v2/m/manifests/list`, { method: "PUT", body: index.bytes as BodyInit, headers });

  assert.equal((await remove(`blobs/${layer.digest}`)).status, 405);
  assert.equal((await remove(`manifests/${descriptor.digest}`)).status, 405);
  assert.equal((await remove("manifests/list")).status, 202);
  assert.equal((await remove(`manifests/${index.descriptor.digest}`)).status, 202);
  assert.equal((await remove(`manifests/${descriptor.digest}`)).status, 202);
  assert.equal((await fetch(`${registry.url}/v2/m/manifests/v1`)).status, 404);
  assert.equal((await remove(`blobs/${layer.digest}`)).status, 202);
  assert.equal((await remove(`blobs/${layer.digest}`)).status, 404);
  assert.deepEqual(await (await fetch(`${registry.url}/v2/m/tags/list`)).json(), { name: "m", tags: [] });
});

test("sha512 is served as the specification has it", async (t) => {
  const registry = await loopbackRegistry(t);
  const long = contentDigestOf(blob, "sha512");
  const begun = await fetch(`${registry.url}/v2/m/blobs/uploads/?digest-algorithm=sha512`, { method: "POST" });
  const upload = `${registry.url}${begun.headers.get("location")}`;
  await chunk(upload, 0, 10);
  assert.equal((await fetch(`${upload}?digest=${long}`, { method: "PUT" })).status, 201);
  assert.equal(await (await fetch(`${registry.url}/v2/m/blobs/${long}`)).text(), "0123456789");
  const other = await fetch(`${registry.url}/v2/m/blobs/uploads/?digest-algorithm=md5`, { method: "POST" });
  assert.equal(other.status, 400);
});

test("the hook hears of each stored manifest before its sender does, and a failing hook makes the sender try again", async (t) => {
  const heard: string[] = [];
  let fail = true;
  const registry = await loopbackRegistry(t, {
    onPush: ({ repository, digest: pushed, tags }) => {
      heard.push(`${repository} ${pushed} ${tags}`);
      if (fail) throw new Error("the ledger is not writable");
    },
  });
  await post(registry, "m", emptyBytes);
  const { bytes: body, descriptor } = encodeImageManifest({ layers: [] });
  assert.equal((await putManifest(registry, body)).status, 500);
  fail = false;
  assert.equal((await putManifest(registry, body)).status, 201);
  assert.deepEqual(heard, [`m ${descriptor.digest} v1`, `m ${descriptor.digest} v1`]);
  assert.equal(registry.failures.length, 1);
});

test("the process that runs the registry reads its repositories directly", async (t) => {
  const server = await loopbackRegistry(t);
  const model = await pushImage(server, "weights");
  const { descriptor } = await pushImage(server, "signature", "", { subject: model.descriptor });
  const repository = server.registry.repository("m");
  assert.deepEqual((await repository.resolve("v1")).bytes, model.bytes);
  assert.equal(Buffer.concat(await Array.fromAsync(repository.blob(model.layer))).toString(), "weights");
  const referrers = await Array.fromAsync(repository.referrers(model.descriptor.digest, "application/vnd.example"));
  assert.deepEqual(
    referrers.map(({ digest }) => digest),
    [descriptor.digest],
  );
  const elsewhere = server.registry.repository("other");
  await assert.rejects(elsewhere.resolve(model.descriptor.digest), { code: "not-found" });
  await assert.rejects(Array.fromAsync(elsewhere.blob(model.layer)), { code: "not-found" });
});

test("a full disk is answered with 507 over a connection that still works", async (t) => {
  class FullDisk extends FileBlobStore {
    override async put(): Promise<never> {
      throw new OciError("storage-full", "no space left");
    }
  }
  const registry = await loopbackRegistry(t, { blobs: new FullDisk(await temporaryFolder(t)) });
  assert.equal((await post(registry, "m", new Uint8Array(1_000_000))).status, 507);
  assert.deepEqual(registry.failures, []);
});

test("a body packed by the transport is refused, since its digest would be another", async (t) => {
  const registry = await loopbackRegistry(t);
  const headers = { "Content-Encoding": "gzip" };
  const packed = await fetch(`${registry.url}/v2/m/blobs/uploads/?digest=${digest}`, {
    method: "POST",
    body: blob,
    headers,
  });
  assert.equal(packed.status, 415);
});

test("content that the disk damaged is a failure of the registry, not of who asks for it", async (t) => {
  const registry = await loopbackRegistry(t);
  await post(registry, "m", blob);
  const [, hex = ""] = digest.split(":");
  await writeFile(join(registry.dir, "blobs", "sha256", hex.slice(0, 2), hex), "0123456788");
  const answer = await fetch(`${registry.url}/v2/m/blobs/${digest}`);
  assert.equal(answer.status, 500);
  assert.match(String(registry.failures[0]), /damaged/);
});
