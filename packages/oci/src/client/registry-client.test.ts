import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { type Descriptor, describe, emptyBytes, emptyDescriptor } from "../artifact/descriptor.ts";
import { encodeImageManifest } from "../artifact/manifest.ts";
import { mediaTypes } from "../artifact/media-types.ts";
import { referrersTag } from "../artifact/reference.ts";
import { makeCertificate } from "../signing/certificate-maker.ts";
import { loopbackRegistry, serve, tokens } from "../testing/loopback-registry.ts";
import { RegistryClient } from "./registry-client.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const blob = bytes("0123456789".repeat(1000));
const layer = describe("application/vnd.example", blob);
const subject = describe(mediaTypes.imageManifest, bytes("a model"));

function clientOf(url: string, more: { token?: string; timeout?: number; username?: string } = {}): RegistryClient {
  return new RegistryClient({ url, repository: "m", ...more });
}

async function read(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await buffer(stream));
}

async function pushImage(
  client: RegistryClient,
  more: Partial<Parameters<typeof encodeImageManifest>[0]> = {},
  tag?: string,
) {
  await client.pushBlob(emptyDescriptor, emptyBytes);
  const image = encodeImageManifest({ artifactType: "application/vnd.example", layers: [], ...more });
  await client.pushManifest(image.bytes, image.descriptor.mediaType, tag);
  return image;
}

/** A registry that answers each blob request as told. */
async function lyingRegistry(t: TestContext, answer: (res: ServerResponse) => void): Promise<RegistryClient> {
  const registry = await loopbackRegistry(t, {
    intercept: (req, res) => {
      if (req.method !== "GET" || !req.url!.includes("/blobs/")) return false;
      answer(res);
      return true;
    },
  });
  const client = clientOf(registry.url);
  await client.pushBlob(layer, blob);
  return client;
}

test("what is pushed comes back, and is not sent twice", async (t) => {
  const registry = await loopbackRegistry(t);
  const client = clientOf(registry.url);
  await client.ping();
  assert.equal(
    await client.pushBlob(
      layer,
      (async function* () {
        yield blob.subarray(0, 7);
        yield blob.subarray(7);
      })(),
    ),
    "sent",
  );
  assert.equal(
    await client.pushBlob(layer, () => assert.fail("the content of a blob that is there is not needed")),
    "present",
  );
  const { bytes: body, descriptor } = await pushImage(client, { layers: [layer] }, "v1");

  for (const reference of ["v1", descriptor.digest]) {
    const resolved = await client.resolve(reference);
    assert.equal(resolved.digest, descriptor.digest);
    assert.deepEqual(resolved.bytes, body);
    assert.deepEqual(resolved.descriptor, descriptor);
  }
  assert.deepEqual(await read(client.blob(layer)), blob);
  assert.deepEqual(await read(client.blob(layer.digest)), blob);
  assert.deepEqual(await Array.fromAsync(client.tags()), ["v1"]);
  await client.delete("v1");
  await assert.rejects(client.resolve("v1"), { code: "not-found" });
  assert.equal(registry.requests.filter((line) => line.startsWith("PUT /v2/m/blobs/")).length, 2);
  assert.deepEqual(registry.failures, []);
});

test("content that does not have its announced size or digest is not sent as if it had", async (t) => {
  const registry = await loopbackRegistry(t);
  const client = clientOf(registry.url);
  const stream = async function* (content: Uint8Array) {
    yield content;
  };
  await assert.rejects(client.pushBlob(layer, stream(blob.subarray(1))), { code: "size-mismatch" });
  await assert.rejects(client.pushBlob({ ...layer, size: 1 }, stream(blob)), { code: "size-mismatch" });
  await assert.rejects(client.pushBlob({ ...subject, size: blob.length }, stream(blob)), { code: "digest-mismatch" });
  assert.equal(await client.hasBlob(layer.digest), false);
  assert.deepEqual(await Array.fromAsync(registry.blobs.staged()), []);
});

test("a registry that serves other bytes for a digest is not believed", async (t) => {
  const tampered = Uint8Array.from(blob, (byte, i) => (i === 9_999 ? byte ^ 1 : byte));
  const client = await lyingRegistry(t, (res) => res.end(tampered));
  await assert.rejects(read(client.blob(layer)), { code: "digest-mismatch" });
  await assert.rejects(read(client.blob(layer.digest)), { code: "digest-mismatch" });
});

test("a registry that sends more or fewer bytes than the descriptor says is stopped", async (t) => {
  const longer = await lyingRegistry(t, (res) => res.end(Buffer.concat([blob, blob])));
  await assert.rejects(read(longer.blob(layer)), { code: "size-mismatch" });
  const shorter = await lyingRegistry(t, (res) => res.end(blob.subarray(1)));
  await assert.rejects(read(shorter.blob(layer)), { code: "size-mismatch" });
  const endless = await lyingRegistry(t, (res) => {
    res.writeHead(200);
    const more = () => {
      while (!res.destroyed && res.write(blob));
      res.once("drain", more);
    };
    more();
  });
  await assert.rejects(read(endless.blob(layer)), { code: "size-mismatch" });
});

test("a descriptor whose digest is true and whose size is not is refused, whether the registry announces a size or none", async (t) => {
  const lying = { ...layer, size: layer.size + 1 };
  let taken = 0;
  const announced = await lyingRegistry(t, (res) => res.end(blob));
  const reading = async (client: RegistryClient) => {
    taken = 0;
    for await (const chunk of client.blob(lying)) taken += chunk.length;
  };
  await assert.rejects(reading(announced), { code: "size-mismatch" });
  assert.equal(taken, 0, "before any of it was taken");
  const unannounced = await lyingRegistry(t, (res) => void res.write(blob, () => res.end()));
  await assert.rejects(reading(unannounced), { code: "size-mismatch" });
});

test("a registry that is asked to go on in one place and goes on in another is refused", async (t) => {
  let asked = 0;
  const client = await lyingRegistry(t, (res) => {
    const start = asked++ === 0 ? 0 : 500;
    res.writeHead(start === 0 ? 200 : 206, { "Content-Range": `bytes ${start}-${blob.length - 1}/${blob.length}` });
    if (start === 0) res.write(blob.subarray(0, 1000), () => res.destroy());
    else res.end(blob.subarray(start));
  });
  await assert.rejects(read(client.blob(layer)), { code: "protocol", message: /go on at 1000, .* began at 500/ });
});

test("a blob whose connection breaks goes on where it stopped", async (t) => {
  const ranges: (string | undefined)[] = [];
  const registry = await loopbackRegistry(t, {
    intercept: (req, res) => {
      if (req.method !== "GET" || !req.url!.includes("/blobs/")) return false;
      ranges.push(req.headers.range);
      if (ranges.length > 2) return false;
      const start = Number(/\d+/.exec(req.headers.range ?? "0")![0]);
      res.writeHead(start === 0 ? 200 : 206, {
        "Content-Length": blob.length - start,
        "Content-Range": `bytes ${start}-${blob.length - 1}/${blob.length}`,
      });
      res.write(blob.subarray(start, start + 1000), () => res.destroy());
      return true;
    },
  });
  const client = clientOf(registry.url);
  await client.pushBlob(layer, blob);
  assert.deepEqual(await read(client.blob(layer)), blob);
  assert.deepEqual(ranges, [undefined, "bytes=1000-", "bytes=2000-"]);
});

test("a manifest that is not the one asked for is refused, by digest and by what the registry calls it", async (t) => {
  const other = encodeImageManifest({ layers: [], annotations: { other: "yes" } });
  const url = await serve(t, (_req, res) => {
    res.writeHead(200, { "Content-Type": mediaTypes.imageManifest, "Docker-Content-Digest": subject.digest });
    res.end(other.bytes);
  });
  await assert.rejects(clientOf(url).resolve(layer.digest), { code: "digest-mismatch" });
  await assert.rejects(clientOf(url).resolve("v1"), { code: "digest-mismatch" });
});

test("a manifest that calls itself something else than the registry does is refused", async (t) => {
  const image = encodeImageManifest({ layers: [] });
  const url = await serve(t, (_req, res) => {
    res.writeHead(200, { "Content-Type": mediaTypes.imageIndex });
    res.end(image.bytes);
  });
  await assert.rejects(clientOf(url).resolve("v1"), { code: "media-type-invalid" });
});

test("an endless manifest is not read to its end", async (t) => {
  const url = await serve(t, (_req, res) => {
    const more = () => {
      while (!res.destroyed && res.write(Buffer.alloc(65_536)));
      res.once("drain", more);
    };
    more();
  });
  await assert.rejects(clientOf(url).resolve("v1"), { code: "too-large" });
});

test("hundreds of referrers are walked page by page, all or by type", async (t) => {
  const registry = await loopbackRegistry(t, { limits: { page: 40 } });
  const client = clientOf(registry.url);
  const expected: string[] = [];
  for (let n = 0; n < 300; n += 1) {
    const artifactType = n % 3 === 0 ? "application/vnd.example.third" : "application/vnd.example.other";
    const { descriptor } = await pushImage(client, { artifactType, subject, annotations: { n: String(n) } });
    if (n % 3 === 0) expected.push(descriptor.digest);
  }
  const all = await Array.fromAsync(client.referrers(subject.digest));
  assert.equal(new Set(all.map(({ digest }) => digest)).size, 300);
  const third = await Array.fromAsync(client.referrers(subject.digest, "application/vnd.example.third"));
  assert.deepEqual(
    third.map(({ digest }) => digest),
    expected.sort(),
  );
  assert.equal(
    third.every(({ annotations }) => Number(annotations!.n) % 3 === 0),
    true,
  );
  const pages = registry.requests.filter((line) => line.startsWith("GET /v2/m/referrers/"));
  assert.equal(pages.length, 8 + 3);
});

test("a registry that ignores the filter is filtered here", async (t) => {
  const manifests = ["a/b", "c/d"].map((artifactType, n) => ({ ...[subject, layer][n]!, artifactType }));
  const url = await serve(t, (_req, res) => res.end(JSON.stringify({ schemaVersion: 2, manifests })));
  const found = await Array.fromAsync(clientOf(url).referrers(layer.digest, "c/d"));
  assert.deepEqual(found, [manifests[1]]);
});

test("a next page elsewhere, or the same page again, is refused", async (t) => {
  for (const next of ["http://127.0.0.2/x", `/v2/m/referrers/${layer.digest}`]) {
    const url = await serve(t, (_req, res) => {
      res.setHeader("Link", `<${next}>; rel="next"`);
      res.end(JSON.stringify({ schemaVersion: 2, manifests: [] }));
    });
    await assert.rejects(Array.fromAsync(clientOf(url).referrers(layer.digest)), { code: "protocol" });
  }
});

test("where there is no referrers API, the list is kept under a tag", async (t) => {
  const registry = await loopbackRegistry(t, {
    intercept: (req, res) => {
      if (req.url!.includes("/referrers/")) {
        res.writeHead(404).end();
        return true;
      }
      const writeHead = res.writeHead.bind(res) as (
        status: number,
        headers?: Record<string, unknown>,
      ) => ServerResponse;
      res.writeHead = ((status: number, { "OCI-Subject": _, ...headers }: Record<string, unknown> = {}) =>
        writeHead(status, headers)) as typeof res.writeHead;
      return false;
    },
  });
  const client = clientOf(registry.url);
  assert.deepEqual(await Array.fromAsync(client.referrers(subject.digest)), []);
  const first = await pushImage(client, { subject, annotations: { n: "1" } });
  const second = await pushImage(client, {
    subject,
    annotations: { n: "2" },
    artifactType: "application/vnd.example.second",
  });
  await pushImage(client, { subject, annotations: { n: "1" } });

  const digests = (found: Descriptor[]) => found.map(({ digest }) => digest);
  const all = await Array.fromAsync(client.referrers(subject.digest));
  assert.deepEqual(digests(all), [first.descriptor.digest, second.descriptor.digest]);
  assert.deepEqual(all[0]!.annotations, { n: "1" });
  const some = await Array.fromAsync(client.referrers(subject.digest, "application/vnd.example.second"));
  assert.deepEqual(digests(some), [second.descriptor.digest]);
  assert.equal((await client.resolve(referrersTag(subject.digest))).manifest.kind, "index");
});

test("a redirect to another origin is followed without the credentials", async (t) => {
  const seen: (string | undefined)[] = [];
  const storage = await serve(t, (req, res) => {
    seen.push(req.headers.authorization);
    res.end(blob);
  });
  const registry = await serve(t, (req, res) => {
    seen.push(req.headers.authorization);
    res.writeHead(307, { Location: `${storage}/bucket` }).end();
  });
  assert.deepEqual(await read(clientOf(registry, { token: "tly_secret" }).blob(layer)), blob);
  assert.deepEqual(seen, ["Bearer tly_secret", undefined]);
});

test("attack: a registry behind TLS redirects to where the content comes in the clear", async (t) => {
  let asked = 0;
  const clear = await serve(t, (_req, res) => {
    asked += 1;
    res.end(blob);
  });
  const { key, certificate } = makeCertificate({ name: "localhost", ca: true });
  const server = createTlsServer(
    { key: key.export({ type: "pkcs8", format: "pem" }), cert: certificate.toString() },
    (_req, res) => res.writeHead(307, { Location: `${clear}/bucket` }).end(),
  );
  const before = getCACertificates("default");
  setDefaultCACertificates([...before, certificate.toString()]);
  t.after(() => {
    setDefaultCACertificates(before);
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  const { port } = server.address() as AddressInfo;
  const message = /redirected from https to plain http at http:\/\/127/;
  await assert.rejects(read(clientOf(`https://localhost:${port}`).blob(layer)), { code: "protocol", message });
  assert.equal(asked, 0);
});

test("attack: a registry redirects what is pushed to it", async (t) => {
  let asked = 0;
  const elsewhere = await serve(t, (_req, res) => {
    asked += 1;
    res.writeHead(201).end();
  });
  const registry = await serve(t, (req, res) => {
    if (req.method === "HEAD") res.writeHead(404).end();
    else res.writeHead(307, { Location: `${elsewhere}${req.url}` }).end();
  });
  await assert.rejects(clientOf(registry).pushBlob(layer, blob), { code: "protocol", message: /is not followed/ });
  assert.equal(asked, 0);
});

test("an upload that is sent to another origin goes without the credentials", async (t) => {
  const seen: (string | undefined)[] = [];
  const storage = await serve(t, async (req, res) => {
    seen.push(req.headers.authorization);
    assert.deepEqual(await read(req), blob);
    res.writeHead(201).end();
  });
  const registry = await serve(t, (req, res) => {
    if (req.method === "HEAD") res.writeHead(404).end();
    else res.writeHead(202, { Location: `${storage}/upload?session=1` }).end();
  });
  assert.equal(await clientOf(registry, { token: "tly_secret" }).pushBlob(layer, blob), "sent");
  assert.deepEqual(seen, [undefined]);
});

test("redirects in a circle, to other schemes or of uploads are refused", async (t) => {
  const circle = await serve(t, (req, res) => res.writeHead(302, { Location: req.url }).end());
  await assert.rejects(clientOf(circle).resolve("v1"), { code: "protocol", message: /5 redirects/ });
  await assert.rejects(
    clientOf(circle).pushManifest(encodeImageManifest({ layers: [] }).bytes, mediaTypes.imageManifest),
    {
      code: "protocol",
    },
  );
  const file = await serve(t, (_req, res) => res.writeHead(302, { Location: "file:///etc/passwd" }).end());
  await assert.rejects(read(clientOf(file).blob(layer)), { code: "protocol" });
});

test("a registry that wants Basic gets user and password, when it has asked for them", async (t) => {
  const seen: (string | undefined)[] = [];
  const url = await serve(t, (req, res) => {
    seen.push(req.headers.authorization);
    if (req.headers.authorization?.startsWith("Basic ")) res.end();
    else res.writeHead(401, { "WWW-Authenticate": 'Basic realm="zot"' }).end();
  });
  const client = clientOf(url, { token: "secret", username: "ci" });
  await client.ping();
  await client.ping();
  const basic = `Basic ${Buffer.from("ci:secret").toString("base64")}`;
  assert.deepEqual(seen, [undefined, basic, basic]);
});

test("requests side by side are each asked for credentials, and all of them answer", async (t) => {
  const waiting: (() => void)[] = [];
  const url = await serve(t, (req, res) => {
    if (req.headers.authorization?.startsWith("Basic ")) return void res.end();
    // All are asked before the first has answered.
    waiting.push(() => res.writeHead(401, { "WWW-Authenticate": 'Basic realm="zot"' }).end());
    if (waiting.length === 3) for (const ask of waiting) ask();
  });
  const client = clientOf(url, { token: "secret", username: "ci" });
  await Promise.all([client.ping(), client.ping(), client.ping()]);
});

test("a token place of the registry's own origin gets the password, one elsewhere does not", async (t) => {
  const asked: string[] = [];
  const places = await serve(t, (req, res) => {
    asked.push(`elsewhere ${req.url} ${req.headers.authorization}`);
    res.end(JSON.stringify({ token: "anonymous" }));
  });
  let realm = "";
  const url = await serve(t, (req, res) => {
    if (req.url!.startsWith("/token")) {
      asked.push(`own ${req.url} ${req.headers.authorization?.split(" ")[0]}`);
      res.end(JSON.stringify({ token: "exchanged" }));
    } else if (req.headers.authorization === "Bearer exchanged" || req.headers.authorization === "Bearer anonymous")
      res.end();
    else {
      const challenge = `Bearer realm="${realm}/token",service="r",scope="repository:m:pull"`;
      res.writeHead(401, { "WWW-Authenticate": challenge }).end();
    }
  });
  for (realm of [url, places]) await clientOf(url, { token: "secret" }).ping();
  const query = "/token?service=r&scope=repository%3Am%3Apull";
  assert.deepEqual(asked, [`own ${query} Basic`, `elsewhere ${query} undefined`]);
});

test("refusals and silence have codes of their own", async (t) => {
  const guarded = await loopbackRegistry(t, { authorize: tokens({ reader: ["pull m"] }) });
  await assert.rejects(clientOf(guarded.url).resolve("v1"), { code: "unauthorized" });
  await assert.rejects(clientOf(guarded.url, { token: "other" }).ping(), { code: "unauthorized" });
  const reader = clientOf(guarded.url, { token: "reader" });
  await reader.ping();
  await assert.rejects(reader.pushBlob(layer, blob), { code: "unauthorized", message: /DENIED/ });
  await assert.rejects(reader.resolve("v1"), { code: "not-found", message: /NAME_UNKNOWN/ });
  await assert.rejects(read(reader.blob(layer)), { code: "not-found" });
  await assert.rejects(clientOf("http://127.0.0.1:1").ping(), { code: "unreachable" });
  const silent = await serve(t, () => undefined);
  await assert.rejects(clientOf(silent, { timeout: 50 }).ping(), { code: "unreachable", message: /sign of life/ });
  const stalling = await serve(t, (_req, res) => res.writeHead(200, { "Content-Length": blob.length }).write("0"));
  await assert.rejects(read(clientOf(stalling, { timeout: 50 }).blob(layer)), { code: "unreachable" });
  const overloaded = await serve(t, (_req, res) => res.writeHead(503).end("<html>"));
  await assert.rejects(clientOf(overloaded).ping(), { code: "unreachable" });
});

test("a token does not travel unencrypted, and addresses are origins", () => {
  assert.throws(() => clientOf("http://registry.example", { token: "secret" }), { code: "unauthorized" });
  assert.throws(() => clientOf("https://user:pw@registry.example"), { code: "name-invalid" });
  assert.throws(() => clientOf("https://registry.example/path"), { code: "name-invalid" });
  assert.throws(() => clientOf("https://registry.example", { token: "two\nlines" }), { code: "unauthorized" });
  assert.throws(() => new RegistryClient({ url: "https://registry.example", repository: "../x" }), {
    code: "name-invalid",
  });
});

test("a caller can stop waiting", async (t) => {
  const silent = await serve(t, () => undefined);
  const stop = new AbortController();
  const waiting = new RegistryClient({ url: silent, repository: "m", signal: stop.signal }).ping();
  stop.abort();
  await assert.rejects(waiting, { code: "aborted" });
});
