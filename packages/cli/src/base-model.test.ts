import assert from "node:assert/strict";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Loop } from "./testing/loop.ts";

/** A model in a repository of its own whose Kitfile names `tiny:v1` as its base, beside a folder with all of its files. */
async function withBase(t: TestContext): Promise<Loop> {
  const loop = await Loop.start(t, { sealIntervalMs: 20 });
  await loop.publish();
  const kitfile = 'manifestVersion: "1.0.0"\nmodel:\n  path: tiny:v1\ncode:\n  - path: settings.json\n';
  await mkdir(join(loop.folder, "ours"));
  await writeFile(join(loop.folder, "ours", "Kitfile"), kitfile);
  await writeFile(join(loop.folder, "ours", "settings.json"), "{}\n");
  await loop.do("model", "pack", "ours", "-o", "ours.layout");
  return loop;
}

const key = ["--key", "keys/publisher.pem"];

test("a device gets a model whose base is named by a tag, as it was when the model was pushed", async (t) => {
  const loop = await withBase(t);
  await loop.do("model", "pull", "tiny:v1", "-o", "whole");
  await rm(join(loop.folder, "whole", "README.md"));
  await writeFile(join(loop.folder, "whole", "settings.json"), "{}\n");
  await loop.do("model", "sign", "whole", ...key);
  await loop.do("model", "push", "ours.layout", "team/ours:v1", "--signature", "whole/model.sig", ...key);
  await loop.do("approve", "team/ours:v1", "--key", "keys/reviewer.pem");
  await loop.do("release", "team/ours:v1", "team/ours:stable", ...key);
  // The tag goes on to another model, which devices are not to take for the base.
  await writeFile(join(loop.folder, "model", "README.md"), "# Another one\n");
  await writeFile(join(loop.folder, "model", "second.onnx"), "not the one");
  await loop.pushModel("tiny:v1");
  await loop.enrol();
  const said = await loop.do("device", "infer", "team/ours:stable", "inputs.jsonl", "--dir", "device");
  assert.equal(said.split("\n").length, 2);
});

test("a signature over the folder that was packed, without the base's files, is refused with what is missing", async (t) => {
  const loop = await withBase(t);
  await loop.do("model", "sign", "ours", ...key);
  const push = ["model", "push", "ours.layout", "team/ours:v1", "--signature", "ours/model.sig", ...key];
  const { code, err } = await loop.try(...push);
  assert.equal(code, 3);
  assert.match(err, /model\.onnx is there, but it is not signed/);
  assert.match(err, /hint: .*the files of its base tiny:v1/);
});

test("a device whose trust file is older than a signer says where the newer one belongs, and runs the model with it", async (t) => {
  const loop = await Loop.start(t, { sealIntervalMs: 20 });
  await loop.enrol();
  await loop.do("keygen", "keys/second");
  await loop.do("identity", "add", "second", "--key", "keys/second.pub.pem", "--may", "sign-model");
  await loop.do("model", "sign", "model", "--key", "keys/second.pem");
  await loop.do("model", "pack", "model", "-o", "layout");
  const push = ["model", "push", "layout", "tiny:v1", "--signature", "model/model.sig"];
  await loop.do(...push, "--key", "keys/second.pem");
  await loop.do("approve", "tiny:v1", "--key", "keys/reviewer.pem");
  await loop.do("release", "tiny:v1", "tiny:stable", ...key);
  const infer = ["device", "infer", "tiny:stable", "inputs.jsonl", "--dir", "device"];
  const { code, err } = await loop.try(...infer);
  assert.equal(code, 3);
  const place = join(loop.folder, "device", "trust.json");
  assert.ok(err.includes(`the operator's newer trust file belongs at ${place}`), err);
  await writeFile(place, await loop.do("trust", "show"));
  await loop.do(...infer);
});
