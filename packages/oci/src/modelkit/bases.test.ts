import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { RegistryClient } from "../client/index.ts";
import { type FileEntry, memoryFile } from "../tar/index.ts";
import { loopbackRegistry, temporaryFolder } from "../testing/loopback-registry.ts";
import { parseBase } from "./base-name.ts";
import { type Kitfile, packModelKit, readModelKit, unpackModelKit } from "./index.ts";

const file = (name: string, text = name) => memoryFile(name, new TextEncoder().encode(text));
const kit = (path: string | undefined, more: Partial<Kitfile> = {}): Kitfile => ({
  manifestVersion: "1.0.0",
  ...(path !== undefined && { model: { path } }),
  ...more,
});

async function registry(t: TestContext) {
  const { url, requests } = await loopbackRegistry(t);
  const at = (repository: string) => new RegistryClient({ url, repository });
  const pack = (repository: string, tag: string, kitfile: Kitfile, files: readonly FileEntry[]) =>
    packModelKit({ target: at(repository), tag, kitfile, files });
  return { at, pack, requests, host: new URL(url).host, into: join(await temporaryFolder(t), "into") };
}

test("a path with a tag or a digest is a base, by the reference tool's rule; others are paths", () => {
  const digest = `sha256:${"0".repeat(64)}`;
  for (const [text, host, repository, reference] of [
    ["models/base:v1", undefined, "models/base", "v1"],
    ["registry.example/models/base:v1", "registry.example", "models/base", "v1"],
    ["localhost:5000/base:v1", "localhost:5000", "base", "v1"],
    [`base@${digest}`, undefined, "base", digest],
    [`[::1]:5000/base@${digest}`, "[::1]:5000", "base", digest],
  ] as const) {
    const found = parseBase(text);
    assert.deepEqual([found?.host, found?.repository, found?.reference], [host, repository, reference], text);
  }
  for (const path of ["model", "./model", "model/m.onnx", "a:b:c", "Model:v1", digest, "http://x/y:z", "a@b"]) {
    assert.equal(parseBase(path), undefined, path);
  }
});

test("a kit that names another as its base is unpacked with that one's model, and nothing else of it", async (t) => {
  const { pack, at, into } = await registry(t);
  const base = kit("model", { docs: [{ path: "README.md" }], model: { path: "model", parts: [{ path: "part" }] } });
  const { digest } = await pack("base", "v1", base, [file("model/m.bin"), file("part/p.bin"), file("README.md")]);
  const derived = kit("base:v1", { datasets: [{ path: "data" }] });
  const { layers } = await pack("tuned", "v1", derived, [file("data/rows.csv"), file("model/m.bin")]);
  assert.deepEqual(
    layers.map(({ kind }) => kind),
    ["dataset"],
  );
  const unpacked = await unpackModelKit({ source: at("tuned"), reference: "v1", into });
  assert.deepEqual(
    unpacked.files.map(({ kind, name }) => `${kind} ${name}`),
    ["model model/m.bin", "modelpart part/p.bin", "dataset data/rows.csv"],
  );
  assert.deepEqual(
    unpacked.bases.map(({ text, kit: { resolved } }) => [text, resolved.digest]),
    [["base:v1", digest]],
  );
});

test("a base whose digest is known is not asked for by its tag, wherever that leads by now", async (t) => {
  const { pack, at, requests, into } = await registry(t);
  const { digest } = await pack("base", "v1", kit("model"), [file("model/m.bin")]);
  await pack("base", "v1", kit("model"), [file("model/m.bin"), file("model/added.bin")]);
  await pack("tuned", "v1", kit("base:v1"), []);
  const asked = requests.length;
  const { files } = await unpackModelKit({ source: at("tuned"), reference: "v1", into, base: digest });
  assert.deepEqual(
    files.map(({ name }) => name),
    ["model/m.bin"],
  );
  assert.ok(!requests.slice(asked).some((request) => String(request).includes("base/manifests/v1")));
});

test("bases have bases, and a kit may be nothing but a name for one", async (t) => {
  const { pack, at, into, host } = await registry(t);
  await pack("base", "v1", kit("model"), [file("model/m.bin")]);
  await pack("middle", "v1", kit(undefined, { model: { path: `${host}/base:v1`, parts: [{ path: "adapter" }] } }), [
    file("adapter/a.bin"),
  ]);
  const { digest } = await pack("last", "v1", kit("middle:v1"), []);
  const { files } = await unpackModelKit({ source: at("last"), reference: digest, into });
  assert.deepEqual(
    files.map(({ name }) => name),
    ["model/m.bin", "adapter/a.bin"],
  );
});

test("who wants no model asks for no base", async (t) => {
  const { pack, at, into } = await registry(t);
  await pack("tuned", "v1", kit("gone:v1", { docs: [{ path: "README.md" }] }), [file("README.md")]);
  const source = at("tuned");
  const { files } = await unpackModelKit({ source, reference: "v1", into, kinds: ["docs"] });
  assert.deepEqual(
    files.map(({ name }) => name),
    ["README.md"],
  );
  await assert.rejects(unpackModelKit({ source, reference: "v1", into: `${into}2` }), { code: "not-found" });
  assert.ok(!existsSync(`${into}2`));
});

for (const [attack, chain] of [
  ["a base that refers to itself", ["a"]],
  ["two bases that refer to each other", ["a", "b"]],
] as const) {
  test(`attack: ${attack}`, async (t) => {
    const { pack, at, into } = await registry(t);
    for (const [i, name] of chain.entries()) {
      await pack(name, "v1", kit(`${chain[(i + 1) % chain.length]}:v1`), []);
    }
    await assert.rejects(unpackModelKit({ source: at("a"), reference: "v1", into }), {
      code: "modelkit-invalid",
      message: /leads back to/,
    });
    assert.ok(!existsSync(into));
  });
}

test("attack: a chain of bases without end", async (t) => {
  const { pack, at, into, requests } = await registry(t);
  for (let i = 0; i <= 12; i++) await pack("a", `v${i}`, kit(`a:v${i + 1}`), []);
  const before = requests.length;
  await assert.rejects(unpackModelKit({ source: at("a"), reference: "v0", into }), {
    code: "modelkit-invalid",
    message: /more than 10/,
  });
  assert.ok(requests.length - before < 30);
});

test("attack: a kit's own layer unpacks over its base's model, exactly or on some file systems", async (t) => {
  const { pack, at, into } = await registry(t);
  await pack("base", "v1", kit("model"), [file("model/m.bin")]);
  for (const name of ["model/m.bin", "MODEL/m.bin", "model/M.bin"]) {
    const code = { code: [{ path: name }] };
    await pack("evil", "v1", kit("base:v1", code), [file(name, "other weights")]);
    await assert.rejects(
      unpackModelKit({ source: at("evil"), reference: "v1", into }),
      { code: "archive-invalid" },
      name,
    );
    assert.ok(!existsSync(into));
  }
});

test("attack: a base at another host is not asked for", async (t) => {
  const { pack, at, into } = await registry(t);
  const stranger = await loopbackRegistry(t);
  await pack("tuned", "v1", kit(`${new URL(stranger.url).host}/base:v1`), []);
  await assert.rejects(unpackModelKit({ source: at("tuned"), reference: "v1", into }), {
    code: "modelkit-invalid",
    message: /not looked for there/,
  });
  assert.deepEqual(stranger.requests, []);
});

test("attack: a base's tag moves while it is unpacked, and the files are of one of both", async (t) => {
  let move: (() => Promise<unknown>) | undefined;
  const { url } = await loopbackRegistry(t, {
    intercept: (req) => {
      // The config is asked for after the tag was resolved.
      if (req.method === "GET" && /\/base\/blobs\//.test(req.url ?? "")) void move?.();
      return false;
    },
  });
  const at = (repository: string) => new RegistryClient({ url, repository });
  const base = (text: string) =>
    packModelKit({
      target: at("base"),
      tag: "v1",
      kitfile: kit("model"),
      files: [file("model/m.bin", text), file("model/n.bin", text)],
    });
  await base("one");
  await packModelKit({ target: at("tuned"), tag: "v1", kitfile: kit("base:v1"), files: [] });
  let moved: Promise<unknown> | undefined;
  move = () => {
    moved ??= base("two");
    return moved;
  };
  const into = join(await temporaryFolder(t), "into");
  await unpackModelKit({ source: at("tuned"), reference: "v1", into });
  await moved;
  const texts = readdirSync(join(into, "model")).map((name) => readFileSync(join(into, "model", name), "utf8"));
  assert.deepEqual(texts, ["one", "one"]);
});

test("a config that claims a layer for its base contradicts its manifest", async (t) => {
  const { pack, at } = await registry(t);
  const { layers } = await pack("tuned", "v1", kit("base:v1", { docs: [{ path: "README.md" }] }), [file("README.md")]);
  assert.equal(layers.length, 1);
  const read = await readModelKit(at("tuned"), "v1");
  assert.deepEqual(
    read.layers.map(({ kind, path }) => [kind, path]),
    [["docs", "README.md"]],
  );
  assert.equal(read.kitfile?.model?.digest, undefined);
});
