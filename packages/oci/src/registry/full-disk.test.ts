import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { describe, emptyDescriptor } from "../artifact/descriptor.ts";
import { encodeImageManifest } from "../artifact/manifest.ts";
import { mediaTypes } from "../artifact/media-types.ts";
import { contentDigestOf } from "../storage/content-digest.ts";
import { loopbackRegistry } from "../testing/loopback-registry.ts";
import { errorOf, Pusher, utf8 } from "../testing/pushes.ts";
import { smallDisk } from "../testing/small-disk.ts";

/** Each page of the disk that a push may stop at: its blobs take some, a manifest and the database's log the others. */
const pages = [...Array(24).keys(), 30, 40, 60, 80];

test("a disk that fills up at any write of a push: 507, nothing acknowledged is lost, and it goes on when there is room", async (t) => {
  const disk = await smallDisk(t);
  if (disk === undefined) return;
  const registry = await loopbackRegistry(t, { dir: disk.dir });
  const client = new Pusher(registry.url);
  await client.image("m", "there before", { tag: "before" });
  const stopped = new Set<string>();

  for (const free of pages) {
    const content = new Uint8Array(20_000).fill(free + 1);
    const layer = describe("application/vnd.example", content);
    const image = encodeImageManifest({ artifactType: "application/vnd.example", layers: [layer] });
    const begun = await client.request("POST", "m/blobs/uploads/");
    const upload = begun.headers.get("location")!.slice("/v2/".length);
    assert.equal((await client.request("PATCH", upload, content.subarray(0, 5000))).status, 202);

    const steps: Record<string, () => Promise<Response>> = {
      "blob in one": () => client.blob("m", content),
      "blob in chunks": () =>
        client.request("PATCH", upload, content.subarray(5000), { "Content-Range": "5000-19999" }),
      "end of an upload": () => client.request("PUT", `${upload}?digest=${layer.digest}`),
      mount: () => client.mount(`m${free}`, layer.digest, "m"),
      manifest: () => client.manifest("m", `v${free}`, image.bytes, mediaTypes.imageManifest),
    };
    await disk.leave(free);
    const done = new Set<string>();
    for (const [name, step] of Object.entries(steps)) {
      const response = await step();
      if (response.status < 300) {
        done.add(name);
        continue;
      }
      const { status, message } = await errorOf(response);
      // What a step builds on may be what did not fit.
      if (status !== 507) assert.ok([400, 404].includes(status), `${name} at ${free} pages: ${status} ${message}`);
      else stopped.add(name);
    }
    // What was acknowledged is there while the disk is full, and what was not has left nothing.
    assert.equal(await client.has("m", "before"), true);
    if (done.has("blob in one")) assert.equal(await client.has("m", layer.digest, "blobs"), true);
    if (done.has("manifest")) assert.equal(await client.has("m", `v${free}`), true);
    assert.deepEqual(await readdir(join(disk.dir, "blobs", "temporary")), []);

    await disk.makeRoom();
    // The upload is as far as it was acknowledged, and goes on from there.
    const status = await client.request("GET", upload);
    if (status.status === 204 && !done.has("end of an upload")) {
      const size = Number(status.headers.get("range")!.split("-")[1]) + 1;
      assert.equal(size, done.has("blob in chunks") ? 20_000 : 5000, `at ${free} pages`);
      const rest = await client.request("PUT", `${upload}?digest=${layer.digest}`, content.subarray(size));
      assert.equal(rest.status, 201);
    }
    assert.equal((await client.blob("m", content)).status, 201);
    assert.equal((await client.blob("m", utf8("{}"))).status, 201);
    assert.equal((await client.mount(`m${free}`, layer.digest, "m")).status, 201);
    assert.equal((await client.manifest("m", `v${free}`, image.bytes, mediaTypes.imageManifest)).status, 201);
    assert.equal(await client.has("m", `v${free}`), true);
    assert.equal(contentDigestOf(utf8("{}")), emptyDescriptor.digest);
  }
  assert.deepEqual(registry.failures, []);
  for (const name of ["blob in one", "blob in chunks", "manifest"])
    assert.ok(stopped.has(name), `${name} never met the full disk`);
});

test("a disk without room for another file answers 507, and takes the push when there is", async (t) => {
  const disk = await smallDisk(t, "size=8m,nr_inodes=40");
  if (disk === undefined) return;
  const registry = await loopbackRegistry(t, { dir: disk.dir });
  const client = new Pusher(registry.url);
  const pushed: Uint8Array[] = [];
  let refused: Response | undefined;
  for (let i = 0; refused === undefined && i < 100; i++) {
    const content = utf8(`content ${i}`);
    const response = await client.blob("m", content);
    if (response.status === 201) pushed.push(content);
    else refused = response;
  }
  assert.equal(refused?.status, 507);
  for (const content of pushed) assert.equal(await client.has("m", contentDigestOf(content), "blobs"), true);
  await client.status("DELETE", `m/blobs/${contentDigestOf(pushed[0]!)}`);
  for await (const _ of registry.registry.collect({ graceMs: -60_000 }));
  assert.equal((await client.blob("m", utf8("now"))).status, 201);
  assert.deepEqual(registry.failures, []);
});
