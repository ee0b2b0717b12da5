import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { describe, emptyBytes, emptyDescriptor } from "../artifact/descriptor.ts";
import { encodeImageManifest } from "../artifact/manifest.ts";
import { mediaTypes } from "../artifact/media-types.ts";
import { RegistryClient } from "../client/registry-client.ts";
import { openSqlite } from "../storage/sqlite.ts";
import { type LoopbackRegistry, loopbackRegistry } from "../testing/loopback-registry.ts";
import { bulkLoad } from "./bulk-load.ts";

const subject = describe(mediaTypes.imageManifest, new TextEncoder().encode("a model"));
const image = (n: number, layers = [emptyDescriptor]) =>
  encodeImageManifest({
    artifactType: "a/b",
    layers,
    subject,
    annotations: { n: String(n), "tally.device": `d${n % 2}` },
  });

async function* some(count: number, last?: { bytes: Uint8Array }) {
  for (let n = 0; n < count; n += 1) yield { bytes: image(n).bytes, mediaType: mediaTypes.imageManifest };
  if (last !== undefined) yield { bytes: last.bytes, mediaType: mediaTypes.imageManifest };
}

async function place(t: TestContext): Promise<{ registry: LoopbackRegistry; client: RegistryClient; load: Loader }> {
  const registry = await loopbackRegistry(t);
  const client = new RegistryClient({ url: registry.url, repository: "m" });
  await client.pushBlob(emptyDescriptor, emptyBytes);
  const db = await openSqlite(join(registry.dir, "registry.db"), { cacheMebibytes: 8 });
  t.after(() => db.close());
  return { registry, client, load: (manifests) => bulkLoad({ db, repository: "m", manifests, blobs: registry.blobs }) };
}

type Loader = (manifests: AsyncIterable<{ bytes: Uint8Array; mediaType: string }>) => Promise<number>;

test("what was loaded in bulk is listed, fetched, pushed again and deleted like what was pushed", async (t) => {
  const { client, load } = await place(t);
  const pushed = image(1_500);
  await client.pushManifest(pushed.bytes, pushed.descriptor.mediaType);
  assert.equal(await load(some(1_400, pushed)), 1_401);
  const all = await Array.fromAsync(client.referrers(subject.digest));
  assert.deepEqual(
    all.map(({ digest }) => digest),
    [...Array.from({ length: 1_400 }, (_, n) => image(n)), pushed].map(({ descriptor }) => descriptor.digest).sort(),
  );
  assert.equal((await Array.fromAsync(client.referrers(subject.digest, { device: "d1" }))).length, 700);
  const { descriptor, bytes } = image(7);
  assert.deepEqual((await client.resolve(descriptor.digest)).bytes, bytes);
  await client.pushManifest(bytes, descriptor.mediaType);
  await client.delete(descriptor.digest);
  assert.equal((await Array.fromAsync(client.referrers(subject.digest))).length, 1_400);
  await assert.rejects(client.delete(emptyDescriptor.digest), { name: "OciError" });
});

test("a load with a manifest that a push would refuse adds none, and can be run again", async (t) => {
  const { client, load } = await place(t);
  const absent = describe("a/b", new TextEncoder().encode("nowhere"));
  const count = async () => (await Array.fromAsync(client.referrers(subject.digest))).length;
  await assert.rejects(load(some(1_200, image(0, [absent]))), {
    code: "not-found",
    message: new RegExp(absent.digest),
  });
  await assert.rejects(load(some(3, { bytes: new TextEncoder().encode("{}") })), { name: "OciError" });
  assert.equal(await count(), 0);
  assert.equal(await load(some(5)), 5);
  assert.equal(await load(some(6)), 6);
  assert.equal(await count(), 6);
});
