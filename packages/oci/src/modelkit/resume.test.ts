import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { type Descriptor, describe } from "../artifact/descriptor.ts";
import { encodeImageManifest } from "../artifact/manifest.ts";
import { RegistryClient } from "../client/index.ts";
import { memoryFile, packTar } from "../tar/index.ts";
import { type LoopbackRegistry, loopbackRegistry, temporaryFolder } from "../testing/loopback-registry.ts";
import { LossyLink } from "../testing/lossy-link.ts";
import { modelPackTypes, packModelKit, unpackModelKit } from "./index.ts";

const mebibyte = 1024 * 1024;
const contents = new Map([
  ["model/weights-1.bin", randomBytes(3 * mebibyte + 5)],
  ["model/weights-2.bin", randomBytes(4 * mebibyte)],
  ["model/größe.json", Buffer.from("{}")],
  ["model/empty", Buffer.alloc(0)],
  ["data/rows.csv", randomBytes(2 * mebibyte)],
]);
const total = 9 * mebibyte;

interface Scene {
  readonly registry: LoopbackRegistry;
  readonly link: LossyLink;
  readonly source: RegistryClient;
  readonly into: string;
}

/** A model of several files and layers in a registry, at the other end of a link. */
async function scene(t: TestContext): Promise<Scene> {
  const registry = await loopbackRegistry(t);
  const link = await LossyLink.to(t, registry.url);
  const target = new RegistryClient({ url: registry.url, repository: "m" });
  const files = [...contents].map(([name, bytes]) => memoryFile(name, bytes));
  const kitfile = { manifestVersion: "1.0.0", model: { path: "model" }, datasets: [{ path: "data" }] };
  await packModelKit({ files, kitfile, target, tag: "v1" });
  const source = new RegistryClient({ url: link.url, repository: "m", retryPause: 0, timeout: 5000 });
  return { registry, link, source, into: join(await temporaryFolder(t), "models", "m") };
}

function requireWhole(into: string, expected: ReadonlyMap<string, Buffer> = contents): void {
  for (const [name, bytes] of expected) assert.ok(readFileSync(join(into, name)).equals(bytes), name);
  assert.deepEqual(readdirSync(join(into, "..")), ["m"], "nothing is left beside it");
}

test("a link that is cut again and again carries each byte once", async (t) => {
  const { link, source, into } = await scene(t);
  link.breakAfter(1_500_000, "cut");
  await unpackModelKit({ source, reference: "v1", into });
  requireWhole(into);
  assert.ok(link.down < total + 1_500_000, `${link.down} bytes for ${total}`);
});

test("what a dead link left is gone on with, and is no model before", async (t) => {
  const { link, source, into } = await scene(t);
  link.breakAfter(5 * mebibyte, "dead");
  await assert.rejects(unpackModelKit({ source, reference: "v1", into }), { code: "unreachable" });
  assert.equal(existsSync(into), false);
  link.mend();
  let kept = 0;
  const progress = {
    expect() {},
    advance(bytes: number, how: "done" | "kept") {
      if (how === "kept") kept += bytes;
    },
  };
  await unpackModelKit({ source, reference: "v1", into, progress });
  requireWhole(into);
  assert.ok(kept > mebibyte, `${kept} bytes were kept`);
  assert.ok(link.down < total - kept + 64 * 1024, `${link.down} bytes came, ${kept} were there`);
});

test("a client that is killed leaves no model, and the next one goes on with what it had", async (t) => {
  const { link, source, into } = await scene(t);
  link.breakAfter(5 * mebibyte, "silent");
  const program = fileURLToPath(new URL("../testing/pull-process.ts", import.meta.url));
  const child = fork(program, [link.url, "m", "v1", into], { stdio: "ignore" });
  t.after(() => child.kill("SIGKILL"));
  await link.broken();
  const staged = join(into, "..", ".m.part", "files");
  while (!existsSync(join(staged, "model/weights-1.bin"))) await setImmediate();
  while (statSync(join(staged, "model/weights-1.bin")).size < mebibyte) await setImmediate();
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.equal(existsSync(into), false);
  link.mend();
  await unpackModelKit({ source, reference: "v1", into });
  requireWhole(into);
  assert.ok(link.down < total - mebibyte + 64 * 1024, `${link.down} bytes came`);
});

test("bytes changed on disk between two attempts are noticed, and the model is fetched anew", async (t) => {
  const { link, source, into } = await scene(t);
  link.breakAfter(5 * mebibyte, "dead");
  await assert.rejects(unpackModelKit({ source, reference: "v1", into }), { code: "unreachable" });
  const path = join(into, "..", ".m.part", "files", "model/weights-1.bin");
  const bytes = readFileSync(path);
  bytes[1000]! ^= 1;
  writeFileSync(path, bytes);
  link.mend();
  await unpackModelKit({ source, reference: "v1", into });
  requireWhole(into);
});

test("a model that was moved to another manifest meanwhile shares nothing with the one that was begun", async (t) => {
  const { registry, link, source, into } = await scene(t);
  link.breakAfter(5 * mebibyte, "dead");
  await assert.rejects(unpackModelKit({ source, reference: "v1", into }), { code: "unreachable" });
  const other = new Map([["model/weights-1.bin", randomBytes(1000)]]);
  await packModelKit({
    files: [memoryFile("model/weights-1.bin", other.get("model/weights-1.bin")!)],
    kitfile: { manifestVersion: "1.0.0", model: { path: "model" } },
    target: new RegistryClient({ url: registry.url, repository: "m" }),
    tag: "v1",
  });
  link.mend();
  await unpackModelKit({ source, reference: "v1", into });
  requireWhole(into, other);
  assert.deepEqual(readdirSync(join(into, "model")), ["weights-1.bin"]);
});

test("plain files and compressed layers are gone on with too", async (t) => {
  const { registry, link, source, into } = await scene(t);
  const target = new RegistryClient({ url: registry.url, repository: "m" });
  const tar = Buffer.concat(await Array.fromAsync(packTar([memoryFile("data.bin", contents.get("data/rows.csv")!)])));
  const raw = contents.get("model/weights-1.bin")!;
  const config = Buffer.from("{}");
  const layers: Descriptor[] = [];
  for (const [type, bytes, path] of [
    ["weight.v1.raw", raw, "weights.bin"],
    ["dataset.v1.tar+gzip", gzipSync(tar, { level: 1 }), undefined],
  ] as const) {
    const annotations = path === undefined ? {} : { annotations: { "org.cncf.model.filepath": path } };
    const descriptor = describe(`application/vnd.cncf.model.${type}`, bytes, annotations);
    await target.pushBlob(descriptor, bytes);
    layers.push(descriptor);
  }
  const described = describe(modelPackTypes.config, config);
  await target.pushBlob(described, config);
  const { bytes, descriptor } = encodeImageManifest({
    config: described,
    layers,
    artifactType: modelPackTypes.artifact,
  });
  await target.pushManifest(bytes, descriptor.mediaType, "pack");
  link.breakAfter(3 * mebibyte, "dead");
  await assert.rejects(unpackModelKit({ source, reference: "pack", into }), { code: "unreachable" });
  link.mend();
  await unpackModelKit({ source, reference: "pack", into });
  requireWhole(
    into,
    new Map([
      ["weights.bin", raw],
      ["data.bin", contents.get("data/rows.csv")!],
    ]),
  );
  assert.ok(link.down < 4 * mebibyte, `${link.down} bytes came`);
});

test("two processes do not unpack to one place at once", async (t) => {
  const { link, source, into } = await scene(t);
  link.breakAfter(3 * mebibyte, "silent");
  const first = unpackModelKit({ source, reference: "v1", into });
  first.catch(() => {});
  await link.broken();
  const other = await scene(t);
  await assert.rejects(unpackModelKit({ source: other.source, reference: "v1", into }), { code: "busy" });
});

test("a model that is not accepted leaves nothing", async (t) => {
  const { source, into } = await scene(t);
  mkdirSync(join(into, ".."));
  const accept = async () => {
    throw new Error("nobody signed it");
  };
  await assert.rejects(unpackModelKit({ source, reference: "v1", into, accept }), /nobody signed it/);
  assert.deepEqual(readdirSync(join(into, "..")), []);
});
