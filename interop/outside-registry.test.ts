// `tally serve --registry URL` with other people's registries: all that the loop needs lies there, and is found there.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Loop } from "../packages/cli/src/testing/loop.ts";
import { program } from "./programs.ts";

interface Kind {
  readonly name: string;
  /** Whether it answers the referrers API of distribution 1.1. */
  readonly referrers: boolean;
  /** Its configuration for a folder and a port, and the arguments that name the file with it. */
  configure(folder: string, port: number): string;
  argumentsOf(file: string): readonly string[];
}

const dockerRegistry: Kind = {
  name: "docker-registry",
  referrers: false,
  configure: (folder, port) =>
    JSON.stringify({
      version: 0.1,
      storage: { filesystem: { rootdirectory: folder }, delete: { enabled: true } },
      http: { addr: `127.0.0.1:${port}` },
    }),
  argumentsOf: (file) => ["serve", file],
};

const zot: Kind = {
  name: "zot",
  referrers: true,
  configure: (folder, port) =>
    JSON.stringify({
      distSpecVersion: "1.1.1",
      storage: { rootDirectory: folder, gc: false },
      http: { address: "127.0.0.1", port: String(port) },
      log: { level: "error" },
    }),
  argumentsOf: (file) => ["serve", file],
};

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Starts the registry on a folder of its own; undefined where the program is not there and the test was skipped. */
async function running(t: TestContext, kind: Kind): Promise<string | undefined> {
  const path = program(t, kind.name);
  if (path === undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), "tally-outside-"));
  const port = await freePort();
  const file = join(folder, "config.yml");
  await writeFile(file, kind.configure(join(folder, "store"), port));
  const child = spawn(path, kind.argumentsOf(file), { stdio: "ignore" });
  t.after(async () => {
    child.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  });
  await answering(child, `http://127.0.0.1:${port}/v2/`);
  return `http://127.0.0.1:${port}`;
}

async function answering(child: ChildProcess, url: string): Promise<void> {
  for (const giveUp = Date.now() + 30_000; ; ) {
    const answered = await fetch(url).then(
      ({ status }) => status === 200,
      () => false,
    );
    if (answered) return;
    assert.ok(child.exitCode === null && Date.now() < giveUp, `${url} does not answer`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

for (const kind of [dockerRegistry, zot]) {
  test(`${kind.name} in the built-in registry's place: a model goes out, data comes back, and an erasure is carried out there`, async (t) => {
    const url = await running(t, kind);
    if (url === undefined) return;
    const loop = await Loop.start(t, { registry: { url } });
    const manifest = await loop.publish();
    await loop.do("model", "pull", "tiny:v1", "-o", "pulled");
    await loop.enrol();
    await loop.infer();
    const query = (...more: string[]) => loop.do("data", "query", "--model", manifest, "--json", ...more);
    const data = JSON.parse(await query("-o", "field"));
    assert.equal(data.rows, 2);
    assert.deepEqual(await readdir(join(loop.folder, "plane", "registry")).catch(() => []), []);
    // Found at the registry itself, by the model's digest: the signatures of its files and of its manifest, and the segment.
    const listed = kind.referrers
      ? `${url}/v2/tiny/referrers/${manifest}`
      : `${url}/v2/tiny/manifests/${manifest.replace(":", "-")}`;
    const accept = "application/vnd.oci.image.index.v1+json";
    const { manifests } = await (await fetch(listed, { headers: { accept } })).json();
    assert.equal(manifests.length, 3);
    await loop.do("device", "erase", "--dir", "device", "--record", "3");
    await loop.do("device", "sync", "--dir", "device");
    const [segment] = data.segments;
    assert.equal((await fetch(`${url}/v2/tiny/manifests/${segment.manifest}`, { headers: { accept } })).status, 404);
    const left = JSON.parse(await query("-o", "after"));
    assert.deepEqual([left.rows, left.absent.length], [1, 1]);
  });

  test(`${kind.name}: a large layer in chunks, and one of unannounced length, pass through the plane`, async (t) => {
    const url = await running(t, kind);
    if (url === undefined) return;
    const loop = await Loop.start(t, { registry: { url } });
    const headers = { authorization: `Bearer ${loop.token}` };
    const at = (path: string) => new URL(path, loop.plane.url);
    const begun = await fetch(at("/v2/large/blobs/uploads/"), { method: "POST", headers });
    const half = Buffer.alloc(3_000_000, 7);
    const streamed = new ReadableStream({
      start(controller) {
        controller.enqueue(new Uint8Array(half));
        controller.close();
      },
    });
    const place = at(begun.headers.get("location")!);
    const first = await fetch(place, {
      method: "PATCH",
      headers: { ...headers, "content-range": `0-${half.length - 1}` },
      body: half,
    });
    assert.equal(first.status, 202, await first.text());
    assert.equal(first.headers.get("range"), `0-${half.length - 1}`);
    const next = at(first.headers.get("location")!);
    const second = await fetch(next, { method: "PATCH", headers, body: streamed, duplex: "half" } as RequestInit);
    assert.equal(second.status, 202, await second.text());
    const { createHash } = await import("node:crypto");
    const digest = `sha256:${createHash("sha256").update(half).update(half).digest("hex")}`;
    const end = at(second.headers.get("location")!);
    end.searchParams.set("digest", digest);
    const ended = await fetch(end, { method: "PUT", headers });
    assert.equal(ended.status, 201, await ended.text());
    const whole = await fetch(at(`/v2/large/blobs/${digest}`), { headers });
    assert.equal((await whole.arrayBuffer()).byteLength, 6_000_000);
    const part = await fetch(at(`/v2/large/blobs/${digest}`), { headers: { ...headers, range: "bytes=5999990-" } });
    assert.equal(part.status, 206);
    assert.equal((await part.arrayBuffer()).byteLength, 10);
  });
}
