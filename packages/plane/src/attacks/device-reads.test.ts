// What a device may learn of a registry in which others keep data beside the models that it runs.

import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { utf8 } from "@tally/evidence";
import {
  type Descriptor,
  describe,
  encodeImageIndex,
  encodeImageManifest,
  memoryFile,
  packModelKit,
  RegistryClient,
} from "@tally/oci";
import { call } from "../testing/plane-client.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { TestPlane } from "../testing/test-plane.ts";

const repository = "ward/tumours";
const kit = "application/vnd.kitops.modelkit.manifest.v1+json";

/** A published model, and beside it what a scientist made of everyone's data. */
async function scene(t: TestContext) {
  const plane = await TestPlane.start(t);
  const device = await TestDevice.enrolled(plane, join(await temporaryFolder(t), "device"));
  t.after(() => device.close());
  const clientOf = (token: string) => new RegistryClient({ url: plane.url, repository, token });
  const { descriptor: model } = await push(clientOf(await plane.token("publisher")), "weights", undefined, "latest");
  const token = await device.token(plane);
  const secret = await push(clientOf(await plane.token("scientist")), "rows of everyone", model, "selected");
  const ask = (method: string, path: string) => call(plane.url, method, `/v2/${repository}/${path}`, { token });
  return { plane, token, model, secret, target: clientOf(token), ask };
}

function push(target: RegistryClient, content: string, subject?: Descriptor, tag?: string) {
  return packModelKit({
    files: [memoryFile("data/file", utf8(content))],
    kitfile: { manifestVersion: "1.0.0", datasets: [{ name: "data", path: "data" }] },
    target,
    ...(subject && { subject }),
    ...(tag !== undefined && { tag }),
  });
}

test("attack: a device walks the referrers of a model by HEAD, whose cursors name them one by one", async (t) => {
  const { plane, token, model, secret, ask } = await scene(t);
  for (const path of [`referrers/${model.digest}?n=1`, "tags/list?n=1", "manifests/selected", "manifests/latest"]) {
    const headers = { authorization: `Bearer ${token}` };
    const answer = await fetch(`${plane.url}/v2/${repository}/${path}`, { method: "HEAD", headers });
    assert.equal(answer.status, 403, path);
    for (const [name, value] of answer.headers) {
      assert.ok(!value.includes(secret.digest), `${name} of ${path} names what a scientist pushed`);
    }
  }
  // What every push asks first stays possible: it takes knowing the digest.
  assert.equal((await ask("HEAD", `manifests/${model.digest}`)).status, 200);
  assert.equal((await ask("HEAD", `blobs/${secret.layers[0]!.descriptor.digest}`)).status, 200);
});

test("attack: a device makes a scientist's data its own by naming it in an index and a manifest of its own", async (t) => {
  const { plane, token, model, secret, target, ask } = await scene(t);
  const layer = secret.layers[0]!.descriptor;
  const { bytes, descriptor } = encodeImageIndex([secret.descriptor], { subject: model });
  await assert.rejects(target.pushManifest(bytes, descriptor.mediaType), { code: "unauthorized" });
  assert.equal((await ask("GET", `manifests/${secret.digest}`)).status, 403, "named in an index");
  const config = utf8('{"mine":true}');
  const own = describe("application/json", config);
  await target.pushBlob(own, config);
  const thief = encodeImageManifest({ artifactType: kit, config: own, layers: [layer], subject: model });
  await target.pushManifest(thief.bytes, thief.descriptor.mediaType);
  assert.equal((await ask("GET", `blobs/${layer.digest}`)).status, 403, "named as a layer");
  // What it brought itself it reads again, also what it brings twice.
  assert.equal((await ask("GET", `manifests/${thief.descriptor.digest}`)).status, 200);
  assert.equal((await ask("GET", `blobs/${own.digest}`)).status, 200);
  assert.equal((await call(plane.url, "GET", `/v2/${repository}/blobs/${layer.digest}`, { token })).status, 403);
});

test("attack: a device hangs a thousand signatures, bills of materials or models on a model", async (t) => {
  const { plane, model, target } = await scene(t);
  const config = utf8('{"mine":true}');
  const own = describe("application/json", config);
  await target.pushBlob(own, config);
  const types = [
    "application/vnd.dev.sigstore.bundle.v0.3+json",
    "application/vnd.cncf.notary.signature",
    "application/x",
  ];
  for (const artifactType of types) {
    const { bytes, descriptor } = encodeImageManifest({ artifactType, config: own, layers: [own], subject: model });
    await assert.rejects(target.pushManifest(bytes, descriptor.mediaType), { code: "unauthorized" }, artifactType);
  }
  const unbound = encodeImageManifest({ artifactType: kit, config: own, layers: [own] });
  await assert.rejects(target.pushManifest(unbound.bytes, unbound.descriptor.mediaType), { code: "unauthorized" });
  const admin = new RegistryClient({ url: plane.url, repository, token: plane.adminToken });
  const listed = await Array.fromAsync(admin.referrers(model.digest));
  assert.deepEqual(
    listed.map(({ artifactType }) => artifactType),
    [kit],
    "the scientist's own alone",
  );
});
