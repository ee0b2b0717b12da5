import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Digest, digestOf, utf8 } from "@tally/evidence";
import { type Descriptor, memoryFile, packModelKit, RegistryClient } from "@tally/oci";
import { call } from "../testing/plane-client.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { TestPlane, type TestPlaneOptions } from "../testing/test-plane.ts";

const repository = "ward/tumours";

interface Scene {
  readonly plane: TestPlane;
  readonly victim: RegistryClient;
  readonly attacker: TestDevice;
  readonly token: string;
  readonly target: RegistryClient;
  readonly model: Descriptor;
}

/** A published model, a device that captures beside it, and another device whose keys an attacker has. */
async function scene(t: TestContext, options: TestPlaneOptions = {}): Promise<Scene> {
  const plane = await TestPlane.start(t, options);
  const folder = await temporaryFolder(t);
  const honest = await TestDevice.enrolled(plane, join(folder, "honest"));
  const attacker = await TestDevice.enrolled(plane, join(folder, "attacker"));
  t.after(() => Promise.all([honest.close(), attacker.close()]));
  const clientOf = (token: string) => new RegistryClient({ url: plane.url, repository, token });
  const publisher = clientOf(await plane.token("publisher"));
  const { descriptor: model } = await push(publisher, "model", "weights", undefined, "latest");
  const token = await attacker.token(plane);
  return {
    plane,
    attacker,
    token,
    model,
    target: clientOf(token),
    victim: clientOf(await honest.token(plane)),
  };
}

function push(target: RegistryClient, name: string, content: string, subject?: Descriptor, tag?: string) {
  return packModelKit({
    files: [memoryFile("data/file", utf8(content))],
    kitfile: { manifestVersion: "1.0.0", package: { name }, datasets: [{ name, path: "data" }] },
    target,
    ...(subject && { subject }),
    ...(tag !== undefined && { tag }),
  });
}

const get = (plane: TestPlane, path: string, token: string) =>
  call(plane.url, "GET", `/v2/${repository}/${path}`, { token });

test("a device pulls a published model by digest, and pushes its segment beside it, twice if need be", async (t) => {
  const { plane, target, model, token } = await scene(t);
  const pulled = await target.manifest(model.digest);
  assert.equal(pulled.digest, model.digest);
  assert.ok(pulled.manifest.kind === "image");
  const [layer] = pulled.manifest.layers;
  assert.ok((await Array.fromAsync(target.blob(layer!))).length > 0);
  const { digest } = await push(target, "segment", "rows", model);
  assert.equal((await push(target, "segment", "rows", model)).digest, digest);
  const absent = digestOf(utf8("nothing"));
  assert.equal((await get(plane, `manifests/${absent}`, token)).status, 404);
  assert.equal((await get(plane, `blobs/${absent}`, token)).status, 404);
});

test("attack: a device moves the tag that people follow", async (t) => {
  const { plane, target, model, token } = await scene(t);
  const segment = await push(target, "segment", "rows", model);
  const { bytes, mediaType } = await new RegistryClient({
    url: plane.url,
    repository,
    token: plane.adminToken,
  }).manifest(segment.digest);
  for (const path of [
    "latest",
    "new",
    `${segment.digest}?tag=latest`,
    "%6Catest",
    `${segment.digest}?tag=a&tag=latest`,
  ]) {
    const answer = await call(plane.url, "PUT", `/v2/${repository}/manifests/${path}`, {
      token,
      body: bytes,
      type: mediaType,
    });
    assert.equal(answer.status, 403, `${path}: ${answer.text}`);
  }
  const admin = new RegistryClient({ url: plane.url, repository, token: plane.adminToken });
  assert.equal((await admin.resolve("latest")).digest, model.digest);
  assert.deepEqual(await Array.fromAsync(admin.tags()), ["latest"]);
});

test("attack: a device reads what another device captured", async (t) => {
  const { plane, target, victim, model, token } = await scene(t);
  const secret = await push(victim, "segment", "of a patient", model);
  const layer = secret.layers[0]!.descriptor.digest;
  // The attacker knows both digests, which is more than it could find out.
  assert.equal((await get(plane, `manifests/${secret.digest}`, token)).status, 403);
  assert.equal((await get(plane, `blobs/${layer}`, token)).status, 403);
  assert.equal((await get(plane, `referrers/${model.digest}`, token)).status, 403);
  assert.equal((await get(plane, "tags/list", token)).status, 403);
  assert.equal((await call(plane.url, "GET", `/api/v1/blobs/${layer}`, { token })).status, 403);
  assert.equal((await plane.call("GET", `/api/v1/blobs/${layer}`)).status, 404, "nobody gets round the repository");
  // A manifest of its own that names the other's layer does not open it.
  const { bytes, mediaType } = await new RegistryClient({
    url: plane.url,
    repository,
    token: plane.adminToken,
  }).manifest(secret.digest);
  const thief = new TextEncoder().encode(new TextDecoder().decode(bytes).replace('"segment"', '"thief"'));
  await target.pushManifest(thief, mediaType);
  assert.equal((await get(plane, `blobs/${layer}`, token)).status, 403);
});

test("attack: a device makes itself repositories, deletes, and mounts from where it may not read", async (t) => {
  const { plane, victim, model, token } = await scene(t);
  const secret = await push(victim, "segment", "of a patient", model);
  const layer = secret.layers[0]!.descriptor.digest;
  assert.equal((await call(plane.url, "POST", "/v2/mine/alone/blobs/uploads/", { token })).status, 403);
  for (const path of [`manifests/${model.digest}`, "manifests/latest", `blobs/${layer}`]) {
    assert.equal((await call(plane.url, "DELETE", `/v2/${repository}/${path}`, { token })).status, 403, path);
  }
  const other = new RegistryClient({ url: plane.url, repository: "other/model", token: plane.adminToken });
  await push(other, "model", "other weights");
  const mount = `/v2/other/model/blobs/uploads/?mount=${layer}&from=${repository}`;
  assert.equal((await call(plane.url, "POST", mount, { token })).status, 202, "an ordinary upload begins instead");
});

test("attack: a device fills the disk", async (t) => {
  const { plane, target, model, token } = await scene(t, { deviceBytesPerDay: 100_000 });
  const put = (bytes: Uint8Array) =>
    call(plane.url, "PUT", `/api/v1/blobs/${digestOf(bytes)}`, {
      token,
      body: bytes,
      type: "application/octet-stream",
    });
  const statuses: number[] = [];
  for (let i = 0; i < 5; i += 1) statuses.push((await put(new Uint8Array(30_000).fill(i))).status);
  assert.deepEqual(statuses, [201, 201, 201, 413, 413]);
  await assert.rejects(push(target, "segment", "x".repeat(200_000), model), { code: "unauthorized" });
  const begun = await fetch(`${plane.url}/v2/${repository}/blobs/uploads/`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
    body: new Blob(["x"]).stream(),
    duplex: "half",
  } as RequestInit);
  assert.equal(begun.status, 403, "a body without a length could be endless");
});

test("attack: one token's role and pattern used where another's is asked for", async (t) => {
  const { plane, model } = await scene(t);
  const narrow = await plane.token("publisher", "other/*");
  const scientist = await plane.token("scientist", "ward/*");
  const denied: [string, string, string][] = [
    ["GET", `/v2/${repository}/manifests/${model.digest}`, narrow],
    ["POST", `/v2/${repository}/blobs/uploads/`, narrow],
    ["DELETE", `/v2/${repository}/manifests/${model.digest}`, scientist],
    ["POST", "/v2/wards/x/blobs/uploads/", scientist],
    ["POST", "/v2/ward/../other/x/blobs/uploads/", scientist],
  ];
  for (const [method, path, token] of denied) {
    const { status } = await call(plane.url, method, path, { token });
    assert.equal(status, 403, `${method} ${path}`);
  }
  assert.equal((await call(plane.url, "POST", `/v2/${repository}/blobs/uploads/`, { token: scientist })).status, 202);
});

test("attack: somebody else's upload is gone on with or cancelled by a token that may push there too", async (t) => {
  const { plane, attacker, token } = await scene(t);
  const content = utf8("a layer of weights");
  const digest = digestOf(content);
  const owner = await plane.token("publisher");
  const begin = async (token: string) => {
    const headers = { authorization: `Bearer ${token}` };
    const begun = await fetch(`${plane.url}/v2/${repository}/blobs/uploads/`, { method: "POST", headers });
    return begun.headers.get("location")!;
  };
  const upload = await begin(owner);
  const bytes = { body: content.subarray(0, 5), type: "application/octet-stream" };
  assert.equal((await call(plane.url, "PATCH", upload, { token: owner, ...bytes })).status, 202);
  for (const other of [await plane.token("publisher"), await plane.token("scientist"), plane.adminToken, token]) {
    for (const method of ["GET", "PATCH", "DELETE"])
      assert.equal(
        (await call(plane.url, method, upload, { token: other, ...(method === "PATCH" && bytes) })).status,
        404,
      );
    const finished = await call(plane.url, "PUT", `${upload}?digest=${digestOf(content.subarray(0, 5))}`, {
      token: other,
    });
    assert.equal(finished.status, 404);
  }
  const rest = { body: content.subarray(5), type: "application/octet-stream" };
  assert.equal((await call(plane.url, "PUT", `${upload}?digest=${digest}`, { token: owner, ...rest })).status, 201);
  // A device's upload is the device's, also in its next session.
  const segment = await begin(token);
  assert.equal((await call(plane.url, "GET", segment, { token: await attacker.freshToken(plane) })).status, 204);
  assert.equal((await call(plane.url, "DELETE", segment, { token: owner })).status, 404);
});

test("attack: a device learns of a scientist's selection and pulls the training data", async (t) => {
  const { plane, token, model } = await scene(t);
  const scientist = new RegistryClient({ url: plane.url, repository, token: await plane.token("scientist") });
  const data = await push(scientist, "selection", "rows of everyone", model);
  const layer: Digest = data.layers[0]!.descriptor.digest as Digest;
  assert.equal((await get(plane, `manifests/${data.digest}`, token)).status, 403);
  assert.equal((await get(plane, `blobs/${layer}`, token)).status, 403);
});
