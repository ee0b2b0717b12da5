// A small ModelKit on Tally's registry, with a key pair of its publisher, for the suites of other people's signers.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { folderOf, type Plane, type Said, startPlane, tally } from "./tally.ts";

export interface Kit {
  readonly plane: Plane;
  readonly folder: string;
  /** `host/repository@digest`, as other people's tools name it. */
  readonly image: string;
  /** `repository@digest`, as Tally does. */
  readonly ref: string;
  readonly digest: string;
  readonly key: string;
  readonly pub: string;
  /** Runs `tally` on that plane; it has to end well. */
  good(...args: readonly string[]): Promise<Said>;
}

export async function pushedKit(t: TestContext): Promise<Kit> {
  const plane = await startPlane(t);
  const folder = await folderOf(t);
  const good = async (...args: readonly string[]) => {
    const said = await tally(args, { cwd: folder, env: plane.env });
    assert.equal(said.code, 0, said.stdout + said.stderr);
    return said;
  };
  await mkdir(join(folder, "model"));
  await writeFile(join(folder, "model", "model.onnx"), "weights\n");
  await good("keygen", "publisher");
  await good("identity", "add", "publisher", "--key", "publisher.pub.pem", "--may", "sign-model");
  await good("model", "sign", "model", "--key", "publisher.pem");
  await good("model", "pack", "model", "-o", "layout");
  const pushed = ["model", "push", "layout", "tiny:v1", "--signature", "model/model.sig", "--key", "publisher.pem"];
  const digest = (await good(...pushed)).stdout.trim();
  const [key, pub] = [join(folder, "publisher.pem"), join(folder, "publisher.pub.pem")];
  return { plane, folder, image: `${plane.host}/tiny@${digest}`, ref: `tiny@${digest}`, digest, key, pub, good };
}

/** The same artifact's bytes plus a space: another artifact, in the same repository. */
export async function otherArtifact({ plane, digest }: Kit): Promise<string> {
  const headers = { authorization: `Bearer ${plane.token}` };
  const type = "application/vnd.oci.image.manifest.v1+json";
  const got = await fetch(`${plane.url}/v2/tiny/manifests/${digest}`, { headers: { ...headers, accept: type } });
  const body = `${await got.text()} `;
  const url = `${plane.url}/v2/tiny/manifests/other`;
  const put = await fetch(url, { method: "PUT", headers: { ...headers, "content-type": type }, body });
  assert.equal(put.status, 201);
  return put.headers.get("docker-content-digest")!;
}

/** Hangs what hangs on one artifact, of that type, on another one too: what an attacker with a push token can do. */
export async function reattach({ plane }: Kit, type: string, from: string, to: string): Promise<void> {
  const headers = { authorization: `Bearer ${plane.token}` };
  const at = `${plane.url}/v2/tiny`;
  const { manifests } = (await (
    await fetch(`${at}/referrers/${from}?artifactType=${encodeURIComponent(type)}`, { headers })
  ).json()) as {
    manifests: readonly { digest: string; mediaType: string }[];
  };
  assert.ok(manifests.length > 0);
  for (const { digest, mediaType } of manifests) {
    const accept = { ...headers, accept: mediaType };
    const body = (await (await fetch(`${at}/manifests/${digest}`, { headers: accept })).text()).replace(from, to);
    const moved = JSON.parse(body) as { subject: { size: number } };
    moved.subject.size += 1;
    const url = `${at}/manifests/moved-${digest.slice(7, 20)}`;
    const sent = { ...headers, "content-type": mediaType };
    assert.equal((await fetch(url, { method: "PUT", headers: sent, body: JSON.stringify(moved) })).status, 201);
  }
}
