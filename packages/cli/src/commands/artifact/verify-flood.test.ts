import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { digestOf, utf8 } from "@tally/evidence";
import { bundleMediaType, containerSignatureType } from "@tally/oci";
import { Loop, tally } from "../../testing/loop.ts";

/** Attached to the model, so its registry says, and before all else. */
function made(predicateType: string, count: number): readonly object[] {
  return Array.from({ length: count }, (_, i) => ({
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest: digestOf(utf8(`${i}`)),
    size: 100,
    artifactType: bundleMediaType,
    annotations: { "dev.sigstore.bundle.predicateType": predicateType },
  }));
}

test("attack: a registry lists thousands of attestations, or signatures, before the one that holds", async (t) => {
  const loop = await Loop.start(t);
  await loop.pushModel("tiny:v1");
  await loop.do("artifact", "sign", "tiny:v1", "--key", "keys/publisher.pem");
  let before: readonly object[] = [];
  const server = createServer(async (request, response) => {
    const headers = { authorization: request.headers.authorization ?? "", accept: request.headers.accept ?? "*/*" };
    const answer = await fetch(loop.plane.url + request.url, { headers });
    let body = Buffer.from(await answer.arrayBuffer());
    if (request.url?.includes("/referrers/") && request.url.includes("sigstore")) {
      const index = JSON.parse(body.toString());
      body = Buffer.from(JSON.stringify({ ...index, manifests: [...before, ...index.manifests] }));
    }
    response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close().closeAllConnections());
  const env = { ...loop.env, TALLY_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  const verify = () => tally(loop.folder, env, "artifact", "verify", "tiny:v1", "--key", "keys/publisher.pub.pem");
  before = made("https://example.org/sbom", 1_500);
  const { code, err } = await verify();
  assert.equal(code, 0, err);
  // Where all of them say that they are what is asked for, the answer is never good, and says why.
  before = made(containerSignatureType, 1_500);
  const flooded = await verify();
  assert.equal(flooded.code, 3);
  assert.match(flooded.err, /more than 1000 hang on it, and the rest was not looked at/);
});
