import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  digestOf,
  envelopeMediaType,
  generatePrivateKeyPem,
  publicKeyOfPem,
  publicKeyPem,
  signStatement,
  statementSignerFromPem,
  trainingStatement,
  utf8,
} from "@tally/evidence";
import { smallDisk } from "../../oci/src/testing/small-disk.ts";
import { errorOf } from "./testing/plane-client.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";
import { TestDevice } from "./testing/test-device.ts";
import { TestPlane } from "./testing/test-plane.ts";

test("a plane on a full disk answers 507 to blobs, statements and pushes, loses nothing, and goes on without a restart", async (t) => {
  const disk = await smallDisk(t, "size=48m");
  if (disk === undefined) return;
  const plane = await TestPlane.start(t, { dir: join(disk.dir, "plane") });
  const device = await TestDevice.enrolled(plane, join(await temporaryFolder(t), "device"));
  t.after(() => device.close());
  const session = await device.token(plane);
  const pem = generatePrivateKeyPem("p-256");
  const introduced = {
    name: "trainer",
    key: publicKeyPem(publicKeyOfPem(pem).spki),
    may: ["train"],
    repositories: ["*"],
  };
  assert.equal((await plane.call("POST", "/api/v1/identities", { body: introduced })).status, 201);
  const statement = trainingStatement([{ name: "model", digest: digestOf(utf8("model")) }], {
    buildType: "urn:tally:build:training:v1",
    parameters: { notes: "x".repeat(9000) },
    builder: "https://tally.test/trainer",
    dependencies: [],
  });
  const { bytes: envelope } = await signStatement(statement, statementSignerFromPem(pem));

  const content = (n: number) => new Uint8Array(30_000).fill(n);
  const bytes = "application/octet-stream";
  const own = (n: number) =>
    plane.call("PUT", `/api/v1/blobs/${digestOf(content(n))}`, { body: content(n), type: bytes });
  const brought = (n: number) =>
    plane.call("PUT", `/api/v1/blobs/${digestOf(content(n))}`, { body: content(n), type: bytes, token: session });
  const push = (n: number) =>
    plane.call("POST", `/v2/m/blobs/uploads/?digest=${digestOf(content(n))}`, { body: content(n), type: bytes });
  const state = () => plane.call("POST", "/api/v1/statements", { body: envelope, type: envelopeMediaType });
  assert.equal((await own(1)).status, 201);

  for (const pages of [0, 1, 3, 5]) {
    await disk.leave(pages);
    for (const answer of [await own(10), await brought(11), await push(12)])
      assert.equal(answer.status, 507, answer.text);
    assert.equal(errorOf(await own(10))?.code, "storage-full");
    // Its envelope does not fit, so that nothing comes to the plane's log.
    if (pages === 0) assert.equal((await state()).status, 507);
    assert.equal((await plane.call("GET", `/api/v1/blobs/${digestOf(content(1))}`)).status, 200);
    for (const store of ["blobs", "device-blobs", "registry"]) {
      const left = await readdir(join(plane.dir, store, "temporary")).catch(() => []);
      assert.deepEqual(left, [], store);
    }
    await disk.makeRoom();
  }
  assert.equal((await own(10)).status, 201);
  assert.equal((await brought(11)).status, 201);
  assert.equal((await push(12)).status, 201);
  assert.equal((await state()).status, 201);
  await plane.seal();
});
