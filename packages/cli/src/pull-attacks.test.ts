// Somebody who may push to a model's repository, and has no key of anyone who may sign, against whoever pulls it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { fromHex, modelSignatureType, utf8 } from "@tally/evidence";
import {
  attach,
  bundleMediaType,
  type Descriptor,
  describe,
  emptyBytes,
  emptyDescriptor,
  encodeImageManifest,
  memoryFile,
  packModelKit,
  RegistryClient,
} from "@tally/oci";
import { Loop } from "./testing/loop.ts";

const byKey = ["--key", "keys/publisher.pub.pem"] as const;

/** A signed model, and the attacker's way into its repository. */
async function scene(t: TestContext) {
  const loop = await Loop.start(t);
  const manifest = await loop.pushModel("tiny:v1");
  const token = await loop.do("token", "create", "--role", "scientist");
  const target = new RegistryClient({ url: loop.plane.url, repository: "tiny", token });
  const { descriptor: model } = await target.resolve(manifest);
  return { loop, target, model };
}

/** What hangs on a model as a signature, whatever lies in it. */
async function attachLayer(target: RegistryClient, subject: Descriptor, layer: Descriptor, n = 0): Promise<void> {
  await target.pushBlob(emptyDescriptor, emptyBytes);
  const annotations = { "dev.sigstore.bundle.predicateType": modelSignatureType, n: String(n) };
  const made = encodeImageManifest({ artifactType: bundleMediaType, layers: [layer], subject, annotations });
  await target.pushManifest(made.bytes, made.descriptor.mediaType);
}

/** The signed model with a file more, under the signature of the model without it. */
async function pushWith({ loop, target }: Awaited<ReturnType<typeof scene>>, tag: string, ...more: readonly string[]) {
  const read = (name: string) => readFile(join(loop.folder, "model", name));
  const signed = ["model.onnx", "README.md"];
  const { descriptor } = await packModelKit({
    files: [
      ...(await Promise.all(signed.map(async (name) => memoryFile(name, await read(name))))),
      ...more.map((name) => memoryFile(name, utf8("[core]\n\tfsmonitor = touch owned\n"))),
    ],
    kitfile: { manifestVersion: "1.0.0", code: [...signed, ...more].map((path) => ({ path })) },
    target,
    tag,
  });
  await attach(target, { subject: descriptor, bundle: await read("model.sig"), created: new Date(0) });
}

test("attack: files beside the signed ones, in places that a signature ignores", async (t) => {
  const attack = await scene(t);
  const { loop } = attack;
  await pushWith(attack, "evil", ".git/config", ".gitattributes");
  const said = await loop.try("model", "pull", "tiny:evil", "-o", "pulled", ...byKey);
  assert.equal(said.code, 0, said.err);
  assert.match(said.err, /left out.*: \.git\/config, \.gitattributes/);
  const there = await readdir(join(loop.folder, "pulled"), { recursive: true });
  assert.deepEqual(there.sort(), ["README.md", "model.onnx"]);
  // What is ignored by these names is a file, not what lies in a folder of that name.
  for (const [i, name] of ["Kitfile/evil.onnx", "model.sig/evil.onnx"].entries()) {
    await pushWith(attack, `folder-${i}`, name);
    const refused = await loop.try("model", "pull", `tiny:folder-${i}`, "-o", "refused", ...byKey);
    assert.equal(refused.code, 3, refused.err);
    assert.match(refused.err, /evil\.onnx is there, but it is not signed/);
  }
});

test("attack: a signature whose layer is said to lie elsewhere, and one that is none, beside the good one", async (t) => {
  const { loop, target, model } = await scene(t);
  const absent = { ...describe(bundleMediaType, utf8("not there")), urls: ["https://elsewhere.invalid/x"] };
  await attachLayer(target, model, absent);
  const noise = utf8("no bundle");
  await target.pushBlob(describe(bundleMediaType, noise), noise);
  await attachLayer(target, model, describe(bundleMediaType, noise));
  await loop.do("model", "pull", "tiny:v1", "-o", "pulled", ...byKey);
  await loop.do("model", "register", "tiny:v1", "--key", "keys/publisher.pem");
});

test("attack: so many signatures that the good one comes too late", async (t) => {
  const { loop, target, model } = await scene(t);
  const noise = utf8("no bundle");
  await target.pushBlob(describe(bundleMediaType, noise), noise);
  for (let n = 0; n < 80; n += 1) await attachLayer(target, model, describe(bundleMediaType, noise), n);
  await loop.do("model", "pull", "tiny:v1", "-o", "pulled", ...byKey);
});

test("attack: unsigned files in a folder that has the name of the signature's file", async (t) => {
  const loop = await Loop.start(t);
  await loop.do("model", "sign", "model", "--key", "keys/publisher.pem", "-o", "aside.sig");
  await mkdir(join(loop.folder, "model", "model.sig"));
  await writeFile(join(loop.folder, "model", "model.sig", "evil.onnx"), fromHex("00"));
  const said = await loop.try("model", "verify", "model", ...byKey, "--signature", "aside.sig");
  assert.equal(said.code, 3, said.out);
  assert.match(said.out, /model\.sig\/evil\.onnx is there, but it is not signed/);
});

test("attack: a pipe, or a device without end, where the signature should lie", { timeout: 60_000 }, async (t) => {
  const loop = await Loop.start(t);
  const signature = join(loop.folder, "model", "model.sig");
  const pipe = join(loop.folder, "pipe");
  await promisify(execFile)("mkfifo", [pipe]);
  for (const target of [pipe, "/dev/zero"]) {
    await symlink(target, signature);
    const said = await loop.try("model", "verify", "model", ...byKey);
    await rm(signature);
    assert.equal(said.code, 2, said.err);
    assert.match(said.err, /model\.sig is no plain file/);
  }
});
