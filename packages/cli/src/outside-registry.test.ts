import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import type { RequestListener } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createLogger, type PlaneOptions } from "@tally/plane";
import { type LoopbackRegistry, loopbackRegistry, serve, tokens } from "../../oci/src/testing/loopback-registry.ts";
import { Loop } from "./testing/loop.ts";

const password = "correct-horse";
const credentials = { username: "plane", token: password };
const everything = ["tiny", "below/tiny"].flatMap((name) =>
  ["pull", "push", "delete"].map((what) => `${what} ${name}`),
);

interface Scene {
  readonly loop: Loop;
  readonly outside: LoopbackRegistry;
  /** What was sent as Authorization to the outside registry. */
  readonly sent: Set<string | undefined>;
  readonly logs: string[];
}

async function scene(
  t: TestContext,
  intercept: (...exchange: Parameters<RequestListener>) => boolean = () => false,
  options: Partial<PlaneOptions> = {},
): Promise<Scene> {
  const sent = new Set<string | undefined>();
  const outside = await loopbackRegistry(t, {
    authorize: tokens({ [password]: everything }),
    intercept(req, res) {
      sent.add(req.headers.authorization);
      return intercept(req, res);
    },
  });
  const logs: string[] = [];
  const logger = createLogger({ to: { write: (line: string) => void logs.push(line) } });
  const loop = await Loop.start(t, { registry: { url: outside.url, credentials }, logger, ...options });
  return { loop, outside, sent, logs };
}

/** As a registry that knows nothing of subjects and referrers, such as Docker's. */
const withoutReferrers = (req: Parameters<RequestListener>[0], res: Parameters<RequestListener>[1]): boolean => {
  const write = res.writeHead.bind(res) as (status: number, headers?: Record<string, unknown>) => typeof res;
  res.writeHead = ((status: number, headers: Record<string, unknown> = {}) => {
    const { "OCI-Subject": _, ...others } = headers;
    return write(status, others);
  }) as typeof res.writeHead;
  if (!req.url?.includes("/referrers/")) return false;
  res.writeHead(404).end();
  return true;
};

for (const [kind, intercept] of [
  ["with a referrers API", () => false],
  ["without one, by its fallback tag", withoutReferrers],
] as const) {
  test(`the loop goes round over an outside registry ${kind}`, async (t) => {
    const { loop, outside, sent, logs } = await scene(t, intercept);
    const manifest = await loop.publish();
    await loop.do("model", "pull", "tiny:v1", "-o", "pulled");
    await loop.enrol();
    await loop.infer();
    const data = JSON.parse(await loop.do("data", "query", "--model", manifest, "-o", "field", "--json"));
    assert.equal(data.rows, 2);
    assert.equal(data.segments.length, 1);
    // All of it lies there, and none of it here.
    assert.deepEqual(await readdir(join(loop.folder, "plane", "registry")).catch(() => []), []);
    assert.ok((await Array.fromAsync(outside.blobs.list())).length > 10);
    const listed = await (await fetch(`${outside.url}/v2/tiny/tags/list`, { headers: basic })).json();
    assert.equal(listed.tags.includes(`sha256-${manifest.slice(7)}`), intercept === withoutReferrers);
    assert.deepEqual(await tagsAtPlane(loop), ["v1"]);
    // The registry was sent what it asked for, and nobody's token; no log has the password.
    assert.deepEqual(sent, new Set([undefined, basic.authorization]));
    assert.equal(logs.join("").includes(password), false);
    assert.deepEqual(await registryState(loop), { url: outside.url, problem: null });
  });
}

const basic = { authorization: `Basic ${Buffer.from(`plane:${password}`).toString("base64")}` };

async function tagsAtPlane(loop: Loop): Promise<readonly string[]> {
  const headers = { authorization: `Bearer ${loop.token}` };
  return (await (await fetch(`${loop.plane.url}/v2/tiny/tags/list`, { headers })).json()).tags;
}

async function registryState(loop: Loop): Promise<unknown> {
  return (await (await fetch(`${loop.plane.url}/readyz`)).json()).registry;
}

test("repositories lie below a name where the registry's URL has a path", async (t) => {
  const { loop, outside } = await scene(t);
  await loop.stop();
  await loop.startPlane({ registry: { url: `${outside.url}/below`, credentials } });
  await loop.publish();
  await loop.do("model", "pull", "tiny:v1", "-o", "pulled");
  const listed = await fetch(`${outside.url}/v2/below/tiny/tags/list`, { headers: basic });
  assert.deepEqual((await listed.json()).tags, ["v1"]);
});

test("a registry that serves other bytes for a digest is refused, manifest and layer alike", async (t) => {
  let lie: "manifests" | "blobs" | undefined;
  let lies = 0;
  const { loop } = await scene(t, (req, res) => {
    if (lie === undefined || req.method !== "GET" || !req.url?.includes(`/${lie}/sha256:`)) return false;
    lies += 1;
    const type = lie === "blobs" ? "application/octet-stream" : "application/vnd.oci.image.manifest.v1+json";
    res.writeHead(200, { "Content-Type": type }).end('{"schemaVersion":2,"other":true}');
    return true;
  });
  const manifest = await loop.pushModel("tiny:v1");
  for (lie of ["manifests", "blobs"] as const) {
    const pulled = await loop.try("model", "pull", `tiny@${manifest}`, "-o", `pulled-${lie}`);
    assert.notEqual(pulled.code, 0);
    assert.match(pulled.err, /bytes/);
    assert.equal((await readdir(loop.folder)).includes(`pulled-${lie}`), false);
  }
  assert.ok(lies >= 2);
  const { problem } = (await registryState(loop)) as { problem: string };
  assert.match(problem, /should (be|have)/);
});

test("a tag that moves between resolve and pull changes nothing of what is pulled", async (t) => {
  let moved = 0;
  const { loop, outside } = await scene(t, (req) => {
    if (req.method === "GET" && /\/manifests\/v1$/.test(req.url ?? "")) moved += 1;
    return false;
  });
  const manifest = await loop.pushModel("tiny:v1");
  await loop.do("model", "pull", "tiny:v1", "-o", "pulled");
  assert.equal(moved, 1, "the tag is asked for once, and all else by digest");
  const headers = { ...basic, "content-type": "application/vnd.oci.image.manifest.v1+json" };
  const config = await outside.blobs.put(null, new TextEncoder().encode("{}"));
  assert.equal(config.digest.startsWith("sha256:"), true);
  const other = await fetch(`${outside.url}/v2/tiny/manifests/${manifest}`, { headers: basic });
  const body = `${await other.text()}\n`;
  await fetch(`${outside.url}/v2/tiny/manifests/v1`, { method: "PUT", headers, body });
  assert.notEqual((await loop.try("model", "pull", "tiny:v1", "-o", "moved")).code, 0, "nobody signed the other one");
  await loop.do("model", "pull", `tiny@${manifest}`, "-o", "by-digest");
});

test("a redirect carries no credentials elsewhere, and a push is not redirected at all", async (t) => {
  const seen: (string | undefined)[] = [];
  let store = "";
  const { loop, outside } = await scene(t, (req, res) => {
    if (store === "" || !/\/blobs\//.test(req.url ?? "") || req.method === "HEAD") return false;
    res.writeHead(307, { Location: `${store}${req.url}` }).end();
    return true;
  });
  await loop.pushModel("tiny:v1");
  store = await serve(t, async (req, res) => {
    seen.push(req.headers.authorization);
    const { stream } = await outside.blobs.get(req.url!.split("/").at(-1) as `sha256:${string}` as never);
    stream.pipe(res);
  });
  await loop.do("model", "pull", "tiny:v1", "-o", "pulled");
  assert.ok(seen.length > 0);
  assert.deepEqual(new Set(seen), new Set([undefined]));
  const again = await fetch(`${loop.plane.url}/v2/tiny/blobs/uploads/`, {
    method: "POST",
    headers: { authorization: `Bearer ${loop.token}` },
  });
  assert.equal(again.status, 502);
  assert.match(await again.text(), /redirects a POST/);
});

test("credentials that the registry does not take are the plane's trouble, and no caller is asked for others", async (t) => {
  const { loop, outside, logs } = await scene(t);
  await loop.stop();
  const wrong = { username: "plane", token: "stale-secret" };
  const logger = createLogger({ to: { write: (line: string) => void logs.push(line) } });
  await loop.startPlane({ registry: { url: outside.url, credentials: wrong }, logger });
  const pulled = await loop.try("model", "pull", "tiny:v1", "-o", "pulled");
  assert.equal(pulled.code, 5);
  assert.match(pulled.err, /the registry behind this plane .* 401/);
  assert.match(logs.join(""), /the registry failed/);
  assert.equal(/stale-secret|correct-horse/.test(logs.join("") + pulled.err), false);
});

test("a registry that is away: the device goes on with the model that it has, and syncs", async (t) => {
  let away = false;
  const { loop } = await scene(t, (req) => {
    if (away) req.socket.destroy();
    return away;
  });
  await loop.publish();
  await loop.enrol();
  await loop.infer();
  away = true;
  await loop.do("device", "infer", "tiny:stable", "inputs.jsonl", "--dir", "device");
  const pulled = await loop.try("model", "pull", "tiny:v1", "-o", "pulled");
  assert.equal(pulled.code, 5);
  assert.match(pulled.err, /cannot be reached|registry behind this plane/);
  assert.equal((await fetch(`${loop.plane.url}/readyz`)).status, 200);
  // And the plane starts without it.
  await loop.stop();
  await loop.startPlane();
});

test("a model pushed past the plane is pulled by a device when a statement in the log names it, and only then", async (t) => {
  const { loop, outside } = await scene(t);
  const manifest = await loop.publish();
  await loop.enrol();
  // As it is where people pushed to the registry itself: the plane knows the statements and saw no push.
  await loop.plane.parts.db.run("DELETE FROM published");
  await loop.infer();
  await loop.plane.parts.db.run("DELETE FROM published");
  const other = await fetch(`${outside.url}/v2/tiny/manifests/${manifest}`, { headers: basic });
  const body = `${await other.text()}\n`;
  const headers = { ...basic, "content-type": "application/vnd.oci.image.manifest.v1+json" };
  const put = await fetch(`${outside.url}/v2/tiny/manifests/other`, { method: "PUT", headers, body });
  const digest = put.headers.get("docker-content-digest");
  const token = await deviceToken(loop);
  const get = (of: string) =>
    fetch(`${loop.plane.url}/v2/tiny/manifests/${of}`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal((await get(digest!)).status, 403);
  assert.equal((await get(manifest)).status, 200);
});

async function deviceToken({ plane }: Loop): Promise<string> {
  const [row] = await plane.parts.db.query<{ origin: string }>("SELECT origin FROM device");
  const created = await plane.parts.tokens.create({ role: "device", repository: "*", origin: row!.origin }, 60_000);
  return created.token;
}

test("an erasure deletes at the registry, and is not acknowledged while it refuses", async (t) => {
  let refuses = true;
  const { loop } = await scene(t, (req, res) => {
    if (!refuses || req.method !== "DELETE" || !req.url?.includes("/blobs/sha256:")) return false;
    res.writeHead(405, { "Content-Type": "application/json" });
    res.end('{"errors":[{"code":"UNSUPPORTED","message":"The operation is unsupported."}]}');
    return true;
  });
  const manifest = await loop.publish();
  await loop.enrol();
  await loop.infer();
  await loop.do("device", "erase", "--dir", "device", "--record", "3");
  const refused = await loop.try("device", "sync", "--dir", "device");
  assert.equal(refused.code, 5, refused.err);
  assert.match(refused.err, /is not erased yet/);
  refuses = false;
  await loop.do("device", "sync", "--dir", "device");
  const data = JSON.parse(await loop.do("data", "query", "--model", manifest, "-o", "field", "--json"));
  assert.equal(data.rows, 1);
  assert.equal(data.absent.length, 1);
});

test("a plane whose artifacts lie elsewhere does not start without that registry, nor with credentials in its URL", async (t) => {
  const { loop, outside } = await scene(t);
  await loop.stop();
  const without = { registry: undefined } as unknown as Partial<PlaneOptions>;
  await assert.rejects(loop.startPlane(without), (error: Error & { hint?: string }) => {
    assert.match(error.message, /artifacts lie in the registry/);
    assert.match(error.hint ?? "", /--registry http:/);
    return true;
  });
  const url = outside.url.replace("//", "//plane:correct-horse@");
  await assert.rejects(loop.startPlane({ registry: { url } }), (error: Error) => {
    assert.equal(error.message.includes(password), false);
    return true;
  });
  await loop.startPlane({ registry: "built-in" });
  const stored = JSON.parse(await readFile(join(loop.folder, "plane", "plane.json"), "utf8"));
  assert.equal(stored.name, "tally.test/loop");
});
