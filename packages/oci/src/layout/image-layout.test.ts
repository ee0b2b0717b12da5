import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { describe, emptyBytes, emptyDescriptor } from "../artifact/descriptor.ts";
import { encodeImageManifest } from "../artifact/manifest.ts";
import { hexOf } from "../storage/content-digest.ts";
import { temporaryFolder } from "../testing/loopback-registry.ts";
import { ImageLayout } from "./image-layout.ts";
import { refNameAnnotation } from "./layout-index.ts";

const content = new TextEncoder().encode("a layer");
const layer = describe("application/vnd.example", content);

function image(name: string) {
  return encodeImageManifest({ artifactType: "application/vnd.example", layers: [], annotations: { name } });
}

async function layoutWith(dir: string, ...names: string[]) {
  const layout = await ImageLayout.create(dir);
  await layout.pushBlob(emptyDescriptor, emptyBytes);
  for (const name of names) await layout.pushManifest(image(name).bytes, image(name).descriptor.mediaType, name);
  return layout;
}

test("a layout has the files that other tools expect, and nothing half-written beside them", async (t) => {
  const dir = await temporaryFolder(t);
  await layoutWith(dir, "one");
  assert.deepEqual(JSON.parse(await readFile(join(dir, "oci-layout"), "utf8")), { imageLayoutVersion: "1.0.0" });
  assert.deepEqual(JSON.parse(await readFile(join(dir, "index.json"), "utf8")), {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [
      {
        ...image("one").descriptor,
        artifactType: "application/vnd.example",
        annotations: { [refNameAnnotation]: "one" },
      },
    ],
  });
  const blobs = await readdir(join(dir, "blobs", "sha256"));
  assert.deepEqual(blobs.sort(), [emptyDescriptor, image("one").descriptor].map(({ digest }) => hexOf(digest)).sort());
  assert.deepEqual(await readdir(join(dir, "ingest")), []);
});

test("a tag moves and leaves the earlier manifest listed", async (t) => {
  const layout = await layoutWith(await temporaryFolder(t), "one", "two");
  await layout.tag(image("two").descriptor.digest, "one");
  assert.equal((await layout.resolve("one")).digest, image("two").descriptor.digest);
  assert.equal((await layout.resolve("two")).digest, image("two").descriptor.digest);
  assert.equal((await layout.resolve(image("one").descriptor.digest)).digest, image("one").descriptor.digest);
  const tags = (await layout.manifests()).map(({ annotations }) => annotations?.[refNameAnnotation]);
  assert.deepEqual(tags, [undefined, "two", "one"]);
});

test("many manifests added at once are all listed", async (t) => {
  const layout = await layoutWith(await temporaryFolder(t));
  const names = Array.from({ length: 20 }, (_, n) => `n${n}`);
  await Promise.all(
    names.map((name) => layout.pushManifest(image(name).bytes, image(name).descriptor.mediaType, name)),
  );
  const tags = (await layout.manifests()).map(({ annotations }) => annotations?.[refNameAnnotation]);
  assert.deepEqual(tags.sort(), names.sort());
});

test("blobs are checked while they are read", async (t) => {
  const dir = await temporaryFolder(t);
  const layout = await layoutWith(dir);
  assert.equal(await layout.pushBlob(layer, content), "sent");
  assert.equal(await layout.pushBlob(layer, content), "present");
  await assert.rejects(Array.fromAsync(layout.blob({ ...layer, size: 8 })), { code: "size-mismatch" });
  await writeFile(join(dir, "blobs", "sha256", hexOf(layer.digest)), "a Layer");
  await assert.rejects(Array.fromAsync(layout.blob(layer)), { code: "digest-mismatch" });
  await assert.rejects(
    layout.pushBlob(
      { ...layer, size: 3 },
      (async function* () {
        yield content;
      })(),
    ),
    { code: "size-mismatch" },
  );
});

test("a manifest that was replaced on disk is refused", async (t) => {
  const dir = await temporaryFolder(t);
  const layout = await layoutWith(dir, "one");
  await writeFile(join(dir, "blobs", "sha256", hexOf(image("one").descriptor.digest)), image("two").bytes);
  await assert.rejects(layout.resolve("one"), { code: "digest-mismatch" });
});

test("what an interrupted writer left is removed by the next one", async (t) => {
  const dir = await temporaryFolder(t);
  await layoutWith(dir, "one");
  await writeFile(join(dir, "ingest", "half"), "a la");
  await (await ImageLayout.open(dir)).pushBlob(layer, content);
  assert.deepEqual(await readdir(join(dir, "ingest")), []);
});

test("a folder that is no layout, or one of another version, is refused", async (t) => {
  const dir = await temporaryFolder(t);
  await assert.rejects(ImageLayout.open(dir), { code: "layout-invalid" });
  await writeFile(join(dir, "oci-layout"), '{"imageLayoutVersion":"2.0.0"}');
  await assert.rejects(ImageLayout.open(dir), { code: "layout-invalid", message: /2\.0\.0/ });
  const other = await temporaryFolder(t);
  const layout = await layoutWith(other);
  await writeFile(join(other, "index.json"), '{"schemaVersion":2,"manifests":[{}]}');
  await assert.rejects(layout.manifests(), { code: "layout-invalid", message: /manifests\[0\]/ });
  await assert.rejects((await layoutWith(await temporaryFolder(t))).resolve("v1"), { code: "not-found" });
  await mkdir(join(other, "blobs", "sha256", hexOf(layer.digest)));
  assert.equal(await layout.hasBlob(layer.digest), false);
});
