// skopeo (https://github.com/containers/skopeo) against the registry of `tally serve`: container images and indexes to and from it, in
// OCI's and in Docker's formats, and copies between registries.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import {
  type Descriptor,
  describe,
  encodeImageIndex,
  encodeImageManifest,
  ImageLayout,
  memoryFile,
  packModelKit,
  RegistryClient,
} from "@tally/oci";
import { program } from "./programs.ts";
import { otherRegistry, type RegistryName } from "./registries.ts";
import { type Served, served } from "./served.ts";
import { temporaryFolder } from "./server-process.ts";
import { mustRun, type Ran, runProgram } from "./tool.ts";

interface Scene {
  readonly plane: Served;
  readonly dir: string;
  readonly layout: ImageLayout;
  /** The plane's registry as skopeo writes it. */
  readonly ref: (name: string) => string;
  skopeo(...args: readonly string[]): Promise<string>;
  trySkopeo(...args: readonly string[]): Promise<Ran>;
  client(repository: string): RegistryClient;
}

const policy = ["--insecure-policy"];
const fromPlain = "--src-tls-verify=false";
const toPlain = "--dest-tls-verify=false";

/** A plane at which skopeo is logged in, and an image layout `layout` with an image `one` and an index `both` of two. */
async function scene(t: TestContext): Promise<Scene | undefined> {
  const path = program(t, "skopeo");
  if (path === undefined) return undefined;
  const plane = await served(t);
  const dir = await temporaryFolder(t);
  const env = { REGISTRY_AUTH_FILE: join(dir, "auth.json"), HOME: dir };
  const login = ["login", "--tls-verify=false", "-u", "anybody", "--password-stdin", plane.host];
  await mustRun(path, login, { input: plane.adminToken, env });
  const layout = await ImageLayout.create(join(dir, "layout"));
  const one = await image(layout, "amd64");
  await layout.tag(one.digest, "one");
  const two = await image(layout, "arm64");
  const platform = (architecture: string) => ({ platform: { architecture, os: "linux" } });
  const index = encodeImageIndex([
    { ...one, ...platform("amd64") },
    { ...two, ...platform("arm64") },
  ]);
  await layout.pushManifest(index.bytes, index.descriptor.mediaType, "both");
  return {
    plane,
    dir,
    layout,
    ref: (name) => `docker://${plane.host}/${name}`,
    skopeo: (...args) => mustRun(path, [...policy, ...args], { cwd: dir, env }),
    trySkopeo: (...args) => runProgram(path, [...policy, ...args], { cwd: dir, env }),
    client: (repository) => new RegistryClient({ url: plane.url, repository, token: plane.adminToken }),
  };
}

/** A container image of one layer in the layout. */
async function image(layout: ImageLayout, architecture: string): Promise<Descriptor> {
  const tar = Buffer.concat([randomBytes(1024), Buffer.alloc(1024)]);
  const layer = gzipSync(tar);
  const config = Buffer.from(
    JSON.stringify({
      architecture,
      os: "linux",
      config: {},
      rootfs: { type: "layers", diff_ids: [describe("application/octet-stream", tar).digest] },
    }),
  );
  const parts = {
    config: describe("application/vnd.oci.image.config.v1+json", config),
    layers: [describe("application/vnd.oci.image.layer.v1.tar+gzip", layer)],
  };
  await layout.pushBlob(parts.config, config);
  await layout.pushBlob(parts.layers[0]!, layer);
  const { bytes, descriptor } = encodeImageManifest(parts);
  await layout.pushManifest(bytes, descriptor.mediaType);
  return descriptor;
}

test("skopeo copies an image and an index to Tally and back, with the same digests", async (t) => {
  const s = await scene(t);
  if (s === undefined) return;
  await s.skopeo("copy", toPlain, "oci:layout:one", s.ref("images/a:one"));
  await s.skopeo("copy", "--all", toPlain, "oci:layout:both", s.ref("images/a:both"));
  for (const tag of ["one", "both"]) {
    const { digest } = await s.layout.resolve(tag);
    assert.equal((await s.client("images/a").resolve(tag)).digest, digest);
    await s.skopeo("copy", "--all", fromPlain, s.ref(`images/a:${tag}`), `oci:back:${tag}`);
    assert.equal((await (await ImageLayout.open(join(s.dir, "back"))).resolve(tag)).digest, digest);
  }
});

test("skopeo inspects an image at Tally, lists its tags and deletes it", async (t) => {
  const s = await scene(t);
  if (s === undefined) return;
  await s.skopeo("copy", toPlain, "oci:layout:one", s.ref("images/a:one"));
  await s.skopeo("copy", toPlain, "oci:layout:one", s.ref("images/a:uno"));
  const { digest } = await s.layout.resolve("one");
  const seen = JSON.parse(await s.skopeo("inspect", "--tls-verify=false", s.ref("images/a:one")));
  assert.deepEqual([seen.Digest, seen.Architecture, seen.RepoTags], [digest, "amd64", ["one", "uno"]]);
  const raw = await s.skopeo("inspect", "--raw", "--tls-verify=false", s.ref(`images/a@${digest}`));
  assert.equal(raw, Buffer.from((await s.layout.resolve("one")).bytes).toString());
  await s.skopeo("delete", "--tls-verify=false", s.ref("images/a:one"));
  const gone = await s.trySkopeo("inspect", "--tls-verify=false", s.ref(`images/a@${digest}`));
  assert.notEqual(gone.code, 0);
  assert.match(gone.err, /manifest unknown|MANIFEST_UNKNOWN|holds no manifest/i);
});

test("skopeo's conversion to Docker's formats is taken, served and given back", async (t) => {
  const s = await scene(t);
  if (s === undefined) return;
  await s.skopeo("copy", "--format", "v2s2", toPlain, "oci:layout:one", s.ref("images/d:one"));
  await s.skopeo("copy", "--all", "--format", "v2s2", toPlain, "oci:layout:both", s.ref("images/d:both"));
  const docker = "application/vnd.docker.distribution.manifest";
  assert.equal((await s.client("images/d").resolve("one")).mediaType, `${docker}.v2+json`);
  assert.equal((await s.client("images/d").resolve("both")).mediaType, `${docker}.list.v2+json`);
  await s.skopeo("copy", "--format", "oci", fromPlain, s.ref("images/d:one"), "oci:back:one");
  const back = await (await ImageLayout.open(join(s.dir, "back"))).resolve("one");
  const first = await s.layout.resolve("one");
  const layers = (of: typeof back) => of.manifest.kind === "image" && of.manifest.layers.map(({ digest }) => digest);
  assert.deepEqual(layers(back), layers(first));
});

test("a ModelKit that Tally's client pushed is copied by skopeo with its digest kept", async (t) => {
  const s = await scene(t);
  if (s === undefined) return;
  const weights = new Uint8Array(randomBytes(100_000));
  const { digest } = await packModelKit({
    files: [memoryFile("model.onnx", weights)],
    kitfile: { manifestVersion: "1.0.0", model: { path: "model.onnx" } },
    target: s.client("kits/a"),
    tag: "v1",
  });
  await s.skopeo("copy", "--preserve-digests", fromPlain, toPlain, s.ref("kits/a:v1"), s.ref("kits/b:v1"));
  assert.equal((await s.client("kits/b").resolve("v1")).digest, digest);
  await s.skopeo("copy", "--preserve-digests", fromPlain, s.ref("kits/b:v1"), "oci:kit:v1");
  assert.equal((await (await ImageLayout.open(join(s.dir, "kit"))).resolve("v1")).digest, digest);
});

for (const name of ["docker-registry", "zot"] satisfies RegistryName[]) {
  test(`skopeo copies an index from Tally to ${name} and back`, async (t) => {
    const s = await scene(t);
    if (s === undefined) return;
    const other = await otherRegistry(t, name);
    if (other === undefined) return;
    await s.skopeo("copy", "--all", toPlain, "oci:layout:both", s.ref("images/a:both"));
    const there = `docker://${other.host}/images/a:both`;
    await s.skopeo("copy", "--all", fromPlain, toPlain, s.ref("images/a:both"), there);
    await s.skopeo("copy", "--all", fromPlain, toPlain, there, s.ref("back/a:both"));
    const { digest } = await s.layout.resolve("both");
    assert.equal((await new RegistryClient({ url: other.url, repository: "images/a" }).resolve("both")).digest, digest);
    assert.equal((await s.client("back/a").resolve("both")).digest, digest);
  });
}

test("skopeo with a wrong token pushes and pulls nothing", async (t) => {
  const s = await scene(t);
  if (s === undefined) return;
  const creds = `anybody:${s.plane.adminToken}x`;
  const push = await s.trySkopeo("copy", toPlain, "--dest-creds", creds, "oci:layout:one", s.ref("images/a:one"));
  assert.notEqual(push.code, 0);
  assert.match(push.err, /unauthorized|credentials are required|invalid username\/password/i);
  await assert.rejects(s.client("images/a").resolve("one"), { code: "not-found" });
  assert.match(await readFile(join(s.dir, "auth.json"), "utf8"), new RegExp(s.plane.host));
});
