import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { describe, emptyBytes, emptyDescriptor } from "../artifact/descriptor.ts";
import { encodeImageIndex, encodeImageManifest } from "../artifact/manifest.ts";
import { mediaTypes } from "../artifact/media-types.ts";
import { RegistryClient } from "../client/registry-client.ts";
import { ImageLayout } from "../layout/image-layout.ts";
import { hexOf } from "../storage/content-digest.ts";
import { openSqlite } from "../storage/sqlite.ts";
import { loopbackRegistry, temporaryFolder } from "../testing/loopback-registry.ts";
import { utf8 } from "../testing/pushes.ts";
import { loadLayout } from "./load-layout.ts";

/** More than are read at once. */
const many = 1_050;
const model = encodeImageManifest({ artifactType: "a/model", layers: [] });
const layerOf = (n: number) => utf8(`layer ${n % 7}`);
const referrer = (n: number) =>
  encodeImageManifest({
    artifactType: "a/b",
    layers: [describe("a/layer", layerOf(n))],
    subject: model.descriptor,
    annotations: { n: String(n) },
  });

async function scene(t: TestContext, count = 20) {
  const dir = join(await temporaryFolder(t), "layout");
  const layout = await ImageLayout.create(dir);
  for (let n = 0; n < 7; n += 1) await layout.pushBlob(describe("a/layer", layerOf(n)), layerOf(n));
  await layout.pushBlob(emptyDescriptor, emptyBytes);
  await layout.pushManifest(model.bytes, mediaTypes.imageManifest, "v1");
  const made = Array.from({ length: count }, (_, n) => referrer(n));
  // As a tool that copies would leave them: one file each, and one list.
  const index = JSON.parse(await readFile(join(dir, "index.json"), "utf8")) as { manifests: unknown[] };
  for (const { bytes, descriptor } of made) {
    await writeFile(join(dir, "blobs", "sha256", hexOf(descriptor.digest)), bytes);
    index.manifests.push(descriptor);
  }
  await writeFile(join(dir, "index.json"), JSON.stringify(index));
  const registry = await loopbackRegistry(t);
  const client = new RegistryClient({ url: registry.url, repository: "m" });
  const db = await openSqlite(join(registry.dir, "registry.db"));
  t.after(() => db.close());
  const load = () => loadLayout({ db, blobs: registry.blobs, repository: "m", layout: dir });
  const referrers = async () => (await Array.fromAsync(client.referrers(model.descriptor.digest))).length;
  const path = ({ digest }: { digest: string }) => join(dir, "blobs", "sha256", digest.slice("sha256:".length));
  return { dir, registry, client, load, referrers, path, db };
}

test("a layout of many manifests is loaded whole, and again without effect", async (t) => {
  const { client, load, referrers, registry } = await scene(t, many);
  assert.deepEqual(await load(), { manifests: many + 1, blobs: 8, tags: 1, keptTags: [] });
  assert.equal((await client.resolve("v1")).digest, model.descriptor.digest);
  assert.equal(await referrers(), many);
  const { descriptor, bytes } = referrer(77);
  assert.deepEqual((await client.resolve(descriptor.digest)).bytes, bytes);
  const layer = await Array.fromAsync(client.blob(describe("a/layer", layerOf(77))));
  assert.deepEqual(Buffer.concat(layer), Buffer.from(layerOf(77)));
  assert.deepEqual(await load(), { manifests: many + 1, blobs: 0, tags: 1, keptTags: [] });
  const decisions = await Array.fromAsync(registry.registry.collect({ graceMs: -60_000, explain: false }));
  assert.deepEqual(decisions, [], "nothing that was loaded is for a collection to take");
});

test("a tag that the repository has for something else stays there", async (t) => {
  const { client, load } = await scene(t);
  await client.pushBlob(emptyDescriptor, emptyBytes);
  const other = encodeImageManifest({ artifactType: "a/other", layers: [] });
  await client.pushManifest(other.bytes, mediaTypes.imageManifest, "v1");
  assert.deepEqual((await load()).keptTags, ["v1"]);
  assert.equal((await client.resolve("v1")).digest, other.descriptor.digest);
});

test("a layout that lies, lacks something or is none adds no manifest, and says what is wrong", async (t) => {
  const { dir, load, referrers, path } = await scene(t);
  const { descriptor, bytes } = referrer(17);
  const layer = describe("a/layer", layerOf(3));
  const index = await readFile(join(dir, "index.json"), "utf8");
  const fails = async (code: string, message: RegExp) => {
    await assert.rejects(load(), { code, message });
    assert.equal(await referrers(), 0);
  };
  // Before anything else: what was found whole is in the repository from then on.
  await rm(path(layer));
  await fails("not-found", new RegExp(layer.digest));
  await writeFile(path(layer), utf8("other bytes"));
  await fails("digest-mismatch", /./);
  await writeFile(path(layer), layerOf(3));
  await writeFile(path(descriptor), utf8("x".repeat(bytes.length)));
  await fails("digest-mismatch", new RegExp(descriptor.digest));
  await writeFile(path(descriptor), utf8("{}"));
  await fails("size-mismatch", new RegExp(descriptor.digest));
  await rm(path(descriptor));
  await fails("not-found", new RegExp(descriptor.digest));
  await writeFile(path(descriptor), bytes);
  const listed = encodeImageIndex([model.descriptor]);
  await writeFile(path(listed.descriptor), listed.bytes);
  await writeFile(
    join(dir, "index.json"),
    index.replace('"manifests":[', `"manifests":[${JSON.stringify(listed.descriptor)},`),
  );
  await fails("refused", /index of manifests/);
  await writeFile(join(dir, "index.json"), index.slice(0, -100));
  await fails("layout-invalid", /index\.json/);
  await rm(join(dir, "oci-layout"));
  await fails("layout-invalid", /not an image layout/);
});

test("a quota is not exceeded by a load", async (t) => {
  const { load, referrers, registry } = await scene(t);
  await registry.registry.quotas.set({ pattern: "m", bytes: null, manifests: 10 });
  await assert.rejects(load(), { code: "refused", message: /quota/ });
  assert.equal(await referrers(), 0);
});
