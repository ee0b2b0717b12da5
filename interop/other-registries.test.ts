// Tally's registry client against other people's registries: models, signatures and a device's segments are pushed there, found by
// the model's digest (the referrers API of zot, the fallback tag on docker-registry, which has none) and pulled.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { modelSignatureType } from "@tally/evidence";
import {
  bundleMediaType,
  type ContentDigest,
  copyArtifact,
  type Descriptor,
  emptyBytes,
  emptyDescriptor,
  encodeImageManifest,
  ImageLayout,
  memoryFile,
  packModelKit,
  parseContentDigest,
  RegistryClient,
  unpackModelKit,
  verifyModel,
} from "@tally/oci";
import { Loop } from "../packages/cli/src/testing/loop.ts";
import { type OtherRegistry, otherRegistry, type RegistryName } from "./registries.ts";
import { temporaryFolder } from "./server-process.ts";

const kitfile = { manifestVersion: "1.0.0", model: { path: "model.onnx" } };
const clientOf = ({ url }: OtherRegistry, repository: string) => new RegistryClient({ url, repository });

/** A small ModelKit in a repository, under a tag. */
async function pushKit(target: RegistryClient, tag?: string, content = "weights"): Promise<Descriptor> {
  const files = [memoryFile("model.onnx", Buffer.from(content))];
  return (await packModelKit({ files, kitfile, target, ...(tag === undefined ? {} : { tag }) })).descriptor;
}

/** Something small that refers to `subject`. */
async function refer(target: RegistryClient, subject: Descriptor, artifactType: string, n: number): Promise<string> {
  await target.pushBlob(emptyDescriptor, emptyBytes);
  const { bytes, descriptor } = encodeImageManifest({
    artifactType,
    subject,
    layers: [emptyDescriptor],
    annotations: { "test.n": String(n) },
  });
  return (await target.pushManifest(bytes, descriptor.mediaType)).digest;
}

const listed = (client: RegistryClient, subject: ContentDigest, type?: string) =>
  Array.fromAsync(client.referrers(subject, type ?? {}));

async function ofLoop(t: TestContext): Promise<{ loop: Loop; manifest: ContentDigest; plane: RegistryClient }> {
  const loop = await Loop.start(t);
  const manifest = parseContentDigest(await loop.publish());
  await loop.enrol();
  await loop.infer();
  return { loop, manifest, plane: new RegistryClient({ url: loop.plane.url, repository: "tiny", token: loop.token }) };
}

/** The bundle that signs the model's files. */
async function modelSignature(there: RegistryClient, signatures: readonly Descriptor[]): Promise<Uint8Array> {
  for (const { digest } of signatures) {
    const { manifest } = await there.resolve(digest);
    assert.ok(manifest.kind === "image");
    if (manifest.annotations?.["dev.sigstore.bundle.predicateType"] === modelSignatureType) {
      return Buffer.concat(await Array.fromAsync(there.blob(manifest.layers[0]!)));
    }
  }
  return assert.fail("no signature of the model's files is attached");
}

for (const name of ["docker-registry", "zot"] satisfies RegistryName[]) {
  test(`a model, its signature and a device's segment are pushed to ${name}, found by the model's digest and pulled`, async (t) => {
    const other = await otherRegistry(t, name);
    if (other === undefined) return;
    const { loop, manifest, plane } = await ofLoop(t);
    const there = clientOf(other, "hospital/tiny");
    await copyArtifact(plane, there, "v1", { tag: "v1", referrers: "all" });
    const atPlane = await listed(plane, manifest);
    const found = await listed(there, manifest);
    assert.equal(found.length, 3, "signatures of the files and of the manifest, and a segment");
    assert.deepEqual(found.map(({ digest }) => digest).sort(), atPlane.map(({ digest }) => digest).sort());
    const signatures = await listed(there, manifest, bundleMediaType);
    assert.equal(signatures.length, 2);
    const bundle = await modelSignature(there, signatures);
    const out = join(await temporaryFolder(t), "pulled");
    await unpackModelKit({ source: there, reference: "v1", into: out });
    const publicKeyPem = await readFile(join(loop.folder, "keys/publisher.pub.pem"), "utf8");
    assert.equal((await verifyModel({ bundle, files: out, publicKeyPem })).outcome, "good");
    const segment = found.find(({ digest }) => signatures.every((signature) => signature.digest !== digest))!;
    const back = await ImageLayout.create(join(await temporaryFolder(t), "segment"));
    await copyArtifact(there, back, segment.digest);
    const rows = await unpackModelKit({ source: back, reference: segment.digest, into: join(out, "..", "rows") });
    assert.ok(rows.files.length > 0);
  });

  test(`${name}: what is attached twice is listed once, and lists are filtered by artifact type`, async (t) => {
    const other = await otherRegistry(t, name);
    if (other === undefined) return;
    const client = clientOf(other, "kits/a");
    const subject = await pushKit(client, "v1");
    for (let n = 0; n < 2; n += 1) await refer(client, subject, "application/vnd.example.bom", 1);
    assert.equal((await listed(client, subject.digest)).length, 1);
    assert.deepEqual(await listed(client, subject.digest, bundleMediaType), []);
    assert.equal((await listed(client, subject.digest, "application/vnd.example.bom")).length, 1);
  });

  test(`${name}: several clients attach to one model at once, and none of it is lost`, async (t) => {
    const other = await otherRegistry(t, name);
    if (other === undefined) return;
    const subject = await pushKit(clientOf(other, "kits/a"), "v1");
    // docker-registry 2.8 writes a blob's link in place: who asks meanwhile reads an empty one, and gets DIGEST_INVALID.
    await clientOf(other, "kits/a").pushBlob(emptyDescriptor, emptyBytes);
    const pushed = await Promise.all(
      Array.from({ length: 4 }, (_, n) => refer(clientOf(other, "kits/a"), subject, "application/vnd.example.bom", n)),
    );
    const found = await listed(clientOf(other, "kits/a"), subject.digest);
    assert.deepEqual(found.map(({ digest }) => digest).sort(), pushed.sort());
  });

  test(`${name}: a model of several megabytes comes back as it was, and what is there is not sent again`, async (t) => {
    const other = await otherRegistry(t, name);
    if (other === undefined) return;
    const content = Buffer.alloc(8_000_000, 3).toString("latin1");
    const client = clientOf(other, "kits/a");
    const subject = await pushKit(client, "v1", content);
    const layout = await ImageLayout.create(join(await temporaryFolder(t), "layout"));
    assert.deepEqual((await copyArtifact(client, layout, "v1")).digest, subject.digest);
    const again = await copyArtifact(layout, client, subject.digest, { tag: "v2" });
    assert.deepEqual([again.sent, again.present], [0, 2]);
    assert.deepEqual(
      (await Array.fromAsync(client.tags())).filter((tag) => tag.startsWith("v")),
      ["v1", "v2"],
    );
  });

  test(`${name}: what is not there is said to be not there`, async (t) => {
    const other = await otherRegistry(t, name);
    if (other === undefined) return;
    const client = clientOf(other, "kits/a");
    await assert.rejects(client.resolve("v1"), { code: "not-found" });
    await pushKit(client, "v1");
    await assert.rejects(client.resolve("v2"), { code: "not-found" });
    const missing = parseContentDigest(`sha256:${"0".repeat(64)}`);
    await assert.rejects(Array.fromAsync(client.blob(missing)), { code: "not-found" });
    assert.deepEqual(await listed(client, missing), []);
    await client.delete((await client.resolve("v1")).digest);
    await assert.rejects(client.resolve("v1"), { code: "not-found" });
  });
}
