import assert from "node:assert/strict";
import { test } from "node:test";
import { RegistryClient } from "../client/registry-client.ts";
import { ImageLayout } from "../layout/image-layout.ts";
import { loopbackRegistry, temporaryFolder } from "../testing/loopback-registry.ts";
import { copyArtifact } from "./copy.ts";
import { type Descriptor, describe, emptyBytes, emptyDescriptor } from "./descriptor.ts";
import { encodeImageIndex, encodeImageManifest } from "./manifest.ts";
import type { ArtifactSource, ArtifactTarget } from "./transfer.ts";

const weights = crypto.getRandomValues(new Uint8Array(50_000));
const layer = describe("application/vnd.example.weights", weights);

async function addImage(target: ArtifactTarget, parts: { artifactType: string; subject?: Descriptor; tag?: string }) {
  await target.pushBlob(emptyDescriptor, emptyBytes);
  await target.pushBlob(layer, weights);
  const { artifactType, subject, tag } = parts;
  const image = encodeImageManifest({ artifactType, layers: [layer], ...(subject === undefined ? {} : { subject }) });
  await target.pushManifest(image.bytes, image.descriptor.mediaType, tag);
  return image.descriptor;
}

async function digestsOf(source: ArtifactSource, subject: Descriptor): Promise<string[]> {
  return (await Array.fromAsync(source.referrers(subject.digest))).map(({ digest }) => digest).sort();
}

test("a model goes from a layout through a registry into another layout, with its signatures and nothing else", async (t) => {
  const registry = await loopbackRegistry(t);
  const client = new RegistryClient({ url: registry.url, repository: "models/cancer" });
  const from = await ImageLayout.create(await temporaryFolder(t));
  const model = await addImage(from, { artifactType: "application/vnd.example.model", tag: "v1" });
  const signature = await addImage(from, { artifactType: "application/vnd.example.signature", subject: model });
  const countersignature = await addImage(from, {
    artifactType: "application/vnd.example.signature",
    subject: signature,
  });
  await addImage(from, { artifactType: "application/vnd.example.comment", subject: model });

  const pushed = await copyArtifact(from, client, "v1", {
    tag: "stable",
    referrers: ["application/vnd.example.signature"],
  });
  assert.equal(pushed.digest, model.digest);
  assert.deepEqual(pushed.manifests, [model.digest, signature.digest, countersignature.digest]);
  assert.deepEqual([pushed.sent, pushed.present], [2, 4]);
  assert.deepEqual(await digestsOf(client, model), [signature.digest]);

  const to = await ImageLayout.create(await temporaryFolder(t));
  const pulled = await copyArtifact(client, to, model.digest, { referrers: "all", tag: "pulled" });
  assert.deepEqual(pulled.manifests, pushed.manifests);
  assert.equal((await (await ImageLayout.open(to.dir)).resolve("pulled")).digest, model.digest);
  assert.deepEqual(await digestsOf(to, signature), [countersignature.digest]);
  assert.deepEqual(Buffer.concat(await Array.fromAsync(to.blob(layer))), Buffer.from(weights));

  const again = await copyArtifact(client, to, model.digest);
  assert.deepEqual([again.sent, again.present], [0, 2]);
});

test("an index takes its manifests along", async (t) => {
  const registry = await loopbackRegistry(t);
  const client = new RegistryClient({ url: registry.url, repository: "m" });
  const layout = await ImageLayout.create(await temporaryFolder(t));
  const parts = [await addImage(layout, { artifactType: "a/one" }), await addImage(layout, { artifactType: "a/two" })];
  const index = encodeImageIndex(parts);
  await layout.pushManifest(index.bytes, index.descriptor.mediaType, "both");
  const copied = await copyArtifact(layout, client, "both", { tag: "both" });
  assert.deepEqual(copied.manifests, [...parts.map(({ digest }) => digest), index.descriptor.digest]);
  assert.equal((await client.resolve("both")).digest, index.descriptor.digest);
});

/** A layout with a model of one layer that goes up in chunks. */
async function largeModel(dir: string): Promise<ImageLayout> {
  const layout = await ImageLayout.create(dir);
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  const content = Buffer.concat(Array.from({ length: 400 }, () => bytes));
  const large = describe("application/vnd.example.weights", content);
  await layout.pushBlob(emptyDescriptor, emptyBytes);
  await layout.pushBlob(large, content);
  const image = encodeImageManifest({ artifactType: "a/large", layers: [large] });
  await layout.pushManifest(image.bytes, image.descriptor.mediaType, "v1");
  return layout;
}

test("what is sent has no name before the condition holds", async (t) => {
  const condition = Promise.withResolvers<void>();
  const registry = await loopbackRegistry(t, {
    intercept(req) {
      // The last request of the last blob: from here on only the manifest is missing.
      if (req.method === "PUT" && req.url!.includes("digest=")) setImmediate(condition.resolve);
      assert.ok(!(req.method === "PUT" && req.url!.includes("/manifests/")) || held, "the manifest came too early");
      return false;
    },
  });
  let held = false;
  const checked = condition.promise.then(() => {
    held = true;
  });
  const client = new RegistryClient({ url: registry.url, repository: "m" });
  const layout = await largeModel(await temporaryFolder(t));
  const { digest } = await copyArtifact(layout, client, "v1", { tag: "v1", condition: checked });
  assert.equal((await client.resolve("v1")).digest, digest);
});

test("a condition that fails while a blob is sent ends the sending, and leaves neither name nor upload", async (t) => {
  const condition = Promise.withResolvers<void>();
  const registry = await loopbackRegistry(t, {
    intercept(req) {
      if (req.method === "PATCH") req.once("data", () => condition.reject(new Error("it is not what was signed")));
      return false;
    },
  });
  const client = new RegistryClient({ url: registry.url, repository: "m" });
  const layout = await largeModel(await temporaryFolder(t));
  const copying = copyArtifact(layout, client, "v1", { tag: "v1", condition: condition.promise });
  await assert.rejects(copying, { message: "it is not what was signed" });
  await assert.rejects(client.resolve("v1"), { code: "not-found" });
  assert.deepEqual(await Array.fromAsync(registry.blobs.staged()), []);
});

test("a tag that moves between resolve and pull mixes nothing", async (t) => {
  const registry = await loopbackRegistry(t);
  const client = new RegistryClient({ url: registry.url, repository: "m" });
  const first = await addImage(client, { artifactType: "a/first", tag: "v1" });
  const movesAfterwards: ArtifactSource = {
    resolve: async (reference) => {
      const resolved = await client.resolve(reference);
      if (reference === "v1") await addImage(client, { artifactType: "a/second", tag: "v1" });
      return resolved;
    },
    manifest: (digest) => client.manifest(digest),
    blob: (content) => client.blob(content),
    referrers: (subject, filter) => client.referrers(subject, filter),
  };
  const layout = await ImageLayout.create(await temporaryFolder(t));
  assert.equal((await copyArtifact(movesAfterwards, layout, "v1", { tag: "v1" })).digest, first.digest);
  assert.equal((await layout.resolve("v1")).digest, first.digest);
  assert.notEqual((await client.resolve("v1")).digest, first.digest);
});

test("a referrer bomb is refused instead of copied", async (t) => {
  const layout = await ImageLayout.create(await temporaryFolder(t));
  const model = await addImage(layout, { artifactType: "a/model", tag: "v1" });
  for (let n = 0; n < 5; n += 1) await addImage(layout, { artifactType: `a/n${n}`, subject: model });
  const to = await ImageLayout.create(await temporaryFolder(t));
  await assert.rejects(copyArtifact(layout, to, "v1", { referrers: "all", mostManifests: 5 }), { code: "too-large" });
});

test("a list of referrers that goes round in a circle, or names what refers to something else, is refused", async (t) => {
  const layout = await ImageLayout.create(await temporaryFolder(t));
  const model = await addImage(layout, { artifactType: "a/model", tag: "v1" });
  const signature = await addImage(layout, { artifactType: "a/signature", subject: model });
  const other = await addImage(layout, { artifactType: "a/other" });
  const lying = (lists: Record<string, readonly Descriptor[]>): ArtifactSource => ({
    resolve: (reference) => layout.resolve(reference),
    manifest: (digest) => layout.manifest(digest),
    blob: (content) => layout.blob(content),
    referrers: async function* (subject) {
      yield* lists[subject] ?? [];
    },
  });
  const circle = lying({
    [model.digest]: [signature],
    [signature.digest]: [other],
    [other.digest]: [model, signature],
  });
  for (const source of [circle, lying({ [model.digest]: [other] })]) {
    const to = await ImageLayout.create(await temporaryFolder(t));
    await assert.rejects(copyArtifact(source, to, "v1", { referrers: "all" }), {
      code: "protocol",
      message: new RegExp(`${other.digest} is listed as referring to`),
    });
  }
});

test("a broken source leaves no manifest at the target", async (t) => {
  const registry = await loopbackRegistry(t);
  const client = new RegistryClient({ url: registry.url, repository: "m" });
  const layout = await ImageLayout.create(await temporaryFolder(t));
  const { digest } = await addImage(layout, { artifactType: "a/model", tag: "v1" });
  const tampering: ArtifactSource = {
    resolve: (reference) => layout.resolve(reference),
    manifest: (wanted) => layout.manifest(wanted),
    referrers: (subject) => layout.referrers(subject),
    async *blob() {
      yield weights.toReversed();
    },
  };
  await assert.rejects(copyArtifact(tampering, client, "v1"), { name: "OciError" });
  await assert.rejects(client.resolve(digest), { code: "not-found" });
});
