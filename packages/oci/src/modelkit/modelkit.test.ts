import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type Descriptor, describe } from "../artifact/descriptor.ts";
import { encodeImageManifest } from "../artifact/manifest.ts";
import { ImageLayout } from "../layout/index.ts";
import { contentDigestOf } from "../storage/content-digest.ts";
import { memoryFile, packTar } from "../tar/index.ts";
import { type Kitfile, modelKitTypes, modelPackTypes, packModelKit, readModelKit, unpackModelKit } from "./index.ts";

const root = mkdtempSync(join(tmpdir(), "tally-modelkit-"));
after(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
const newPath = () => join(root, String(++folders), "folder");
const newLayout = () => ImageLayout.create(newPath());
const bytesOf = (text: string) => new TextEncoder().encode(text);

const files = [
  memoryFile("model/model.onnx", bytesOf("weights")),
  memoryFile("model/labels.txt", bytesOf("benign\nmalignant\n")),
  memoryFile("data/rows.csv", bytesOf("1,2\n")),
  memoryFile("README.md", bytesOf("words")),
  memoryFile("Kitfile", bytesOf("manifestVersion: 1.0.0\n")),
  memoryFile("unrelated.txt", bytesOf("not packed")),
];
const kitfile: Kitfile = {
  manifestVersion: "1.0.0",
  package: { name: "breast-cancer" },
  model: { name: "classifier", path: "./model" },
  datasets: [{ name: "rows", path: "data/" }],
  docs: [{ path: "README.md" }],
};

/** A model artifact as another tool writes it. */
async function foreign(
  layout: ImageLayout,
  config: { type: string; json: unknown },
  layers: readonly { type: string; bytes: Uint8Array; annotations?: Record<string, string> }[],
  artifactType?: string,
): Promise<string> {
  const configBytes = bytesOf(JSON.stringify(config.json));
  const descriptors: Descriptor[] = [];
  for (const { type, bytes, annotations } of layers) {
    const descriptor = describe(type, bytes, annotations === undefined ? {} : { annotations });
    await layout.pushBlob(descriptor, bytes);
    descriptors.push(descriptor);
  }
  const configDescriptor = describe(config.type, configBytes);
  await layout.pushBlob(configDescriptor, configBytes);
  const more = artifactType === undefined ? {} : { artifactType };
  const { bytes, descriptor } = encodeImageManifest({ config: configDescriptor, layers: descriptors, ...more });
  return (await layout.pushManifest(bytes, descriptor.mediaType)).digest;
}

async function tarOf(...entries: [string, string][]): Promise<Uint8Array> {
  return Buffer.concat(await Array.fromAsync(packTar(entries.map(([name, text]) => memoryFile(name, bytesOf(text))))));
}

test("the same files and Kitfile give the same digest, in any layout and any order", async () => {
  const one = await packModelKit({ files, kitfile, target: await newLayout() });
  const two = await packModelKit({ files: [...files].reverse(), kitfile, target: await newLayout() });
  assert.equal(one.digest, two.digest);
  assert.deepEqual(
    one.layers.map((layer) => layer.kind),
    ["model", "dataset", "docs"],
  );
});

test("a packed kit is unpacked with the same files, and only those that parts cover", async () => {
  const layout = await newLayout();
  const { digest } = await packModelKit({ files, kitfile, target: layout, tag: "v1" });
  const into = newPath();
  const unpacked = await unpackModelKit({ source: layout, reference: "v1", into });
  assert.equal(unpacked.resolved.digest, digest);
  assert.deepEqual(
    unpacked.files.map(({ kind, name }) => `${kind} ${name}`),
    ["model model/labels.txt", "model model/model.onnx", "dataset data/rows.csv", "docs README.md"],
  );
  for (const { name, digest } of unpacked.files) {
    assert.equal(contentDigestOf(readFileSync(join(into, name))), digest);
  }
  assert.deepEqual(readdirSync(into).sort(), ["README.md", "data", "model"]);
});

test("unpacking can be narrowed to a kind and can write the Kitfile", async () => {
  const layout = await newLayout();
  const { digest } = await packModelKit({ files, kitfile, target: layout });
  const into = newPath();
  await unpackModelKit({ source: layout, reference: digest, into, kinds: ["docs"], writeKitfile: true });
  assert.deepEqual(readdirSync(into).sort(), ["Kitfile", "README.md"]);
  assert.match(readFileSync(join(into, "Kitfile"), "utf8"), /name: breast-cancer/);
});

test("a kit can refer to a subject and carry layers of other types", async () => {
  const layout = await newLayout();
  const model = await packModelKit({ files, kitfile, target: layout });
  const segment = await packModelKit({
    files: files.slice(2, 3),
    kitfile: { manifestVersion: "1.0.0", datasets: [{ path: "data", parameters: { device: "0f1e" } }] },
    target: layout,
    subject: model.descriptor,
    annotations: { "org.example.range": "0-255" },
    otherLayers: [{ mediaType: "application/vnd.example.proofs", bytes: bytesOf("proofs") }],
  });
  const found = await Array.fromAsync(layout.referrers(model.digest as never, modelKitTypes.artifact));
  assert.deepEqual(
    found.map(({ digest, annotations }) => [digest, annotations]),
    [[segment.digest, { "org.example.range": "0-255" }]],
  );
  const kit = await readModelKit(layout, segment.digest);
  assert.deepEqual(
    kit.layers.map((layer) => layer.kind),
    ["dataset", "other"],
  );
  assert.deepEqual(kit.kitfile?.datasets?.[0]?.parameters, { device: "0f1e" });
  const into = newPath();
  const unpacked = await unpackModelKit({ source: layout, reference: segment.digest, into });
  assert.deepEqual(
    unpacked.files.map((file) => file.name),
    ["data/rows.csv"],
  );
});

test("a part within another part has its files alone", async () => {
  const nested: Kitfile = { manifestVersion: "1.0.0", code: [{ path: "." }], docs: [{ path: "README.md" }] };
  const layout = await newLayout();
  const { digest } = await packModelKit({ files, kitfile: nested, target: layout });
  const into = newPath();
  const unpacked = await unpackModelKit({ source: layout, reference: digest, into });
  assert.deepEqual(
    unpacked.files.filter(({ kind }) => kind === "docs").map(({ name }) => name),
    ["README.md"],
  );
  assert.equal(unpacked.files.filter(({ name }) => name === "README.md").length, 1);
});

for (const [fault, parts] of [
  ["names a path without files", { docs: [{ path: "missing" }] }],
  ["names one path twice", { docs: [{ path: "README.md" }, { path: "./README.md" }] }],
  ["names a path outside", { docs: [{ path: "../README.md" }] }],
  ["names no part", {}],
] as const) {
  test(`a Kitfile that ${fault} cannot be packed`, async () => {
    const target = await newLayout();
    const made = packModelKit({ files, kitfile: { manifestVersion: "1.0.0", ...parts }, target });
    await assert.rejects(made, { code: "modelkit-invalid" });
  });
}

test("a layer whose bytes were replaced leaves nothing behind", async () => {
  const layout = await newLayout();
  const { digest, layers } = await packModelKit({ files, kitfile, target: layout });
  const model = layers[0]!.descriptor;
  const evil = await tarOf(["model/model.onnx", "WEIGHTS"], ["model/labels.txt", "benign\nmalignant\n"]);
  assert.equal(evil.length, model.size);
  writeFileSync(join(layout.dir, "blobs", "sha256", model.digest.slice(7)), evil);
  const into = newPath();
  await assert.rejects(unpackModelKit({ source: layout, reference: digest, into }), { code: "digest-mismatch" });
  assert.ok(!existsSync(into));
  assert.deepEqual(readdirSync(join(into, "..")), []);
});

test("a folder that exists already is not touched", async () => {
  const layout = await newLayout();
  const { digest } = await packModelKit({ files, kitfile, target: layout });
  await assert.rejects(unpackModelKit({ source: layout, reference: digest, into: layout.dir }), { code: "refused" });
});

test("a bomb of many gzip members, each of them small, is stopped at the bound and leaves nothing", async () => {
  const layout = await newLayout();
  const tar = Buffer.concat(await Array.fromAsync(packTar([memoryFile("model.onnx", new Uint8Array(64 * 1024))])));
  const members = Array.from({ length: 64 }, (_, n) =>
    gzipSync(tar.subarray((n * tar.length) / 64, ((n + 1) * tar.length) / 64)),
  );
  const layer = "application/vnd.kitops.modelkit.model.v1.tar+gzip";
  const json = { manifestVersion: "1.0.0", model: { name: "m", path: "model.onnx" } };
  const config = { type: "application/vnd.kitops.modelkit.config.v1+json", json };
  const good = await foreign(layout, config, [{ type: layer, bytes: Buffer.concat(members) }]);
  const into = newPath();
  assert.equal((await unpackModelKit({ source: layout, reference: good, into })).files.length, 1);
  const limits = { maxEntries: 10, maxBytes: 32 * 1024 };
  const bombed = newPath();
  await assert.rejects(unpackModelKit({ source: layout, reference: good, into: bombed, limits }), {
    code: "too-large",
  });
  const zeros = gzipSync(new Uint8Array(2 ** 20));
  const trailing = Buffer.concat([...members, ...Array.from({ length: 64 }, () => zeros)]);
  const padded = await foreign(layout, config, [{ type: layer, bytes: trailing }]);
  await assert.rejects(unpackModelKit({ source: layout, reference: padded, into: bombed }), { code: "too-large" });
  assert.deepEqual(existsSync(join(bombed, "..")) ? readdirSync(join(bombed, "..")) : [], []);
});

test("a kit of the reference tool, without artifact type and with gzip, is recognised by its config", async () => {
  const layout = await newLayout();
  const tar = await tarOf(["model/m.bin", "weights"]);
  const layer = gzipSync(tar);
  const digests = { digest: contentDigestOf(layer), diffId: contentDigestOf(tar) };
  const json = { manifestVersion: "1.0.0", package: {}, model: { path: "model", ...digests } };
  const type = "application/vnd.kitops.modelkit.model.v1.tar+gzip";
  const reference = await foreign(layout, { type: modelKitTypes.config, json }, [{ type, bytes: layer }]);
  const unpacked = await unpackModelKit({ source: layout, reference, into: newPath() });
  assert.deepEqual(
    unpacked.files.map((file) => file.name),
    ["model/m.bin"],
  );

  const lying = { ...json, model: { ...json.model, diffId: contentDigestOf(bytesOf("other")) } };
  const liar = await foreign(layout, { type: modelKitTypes.config, json: lying }, [{ type, bytes: layer }]);
  await assert.rejects(unpackModelKit({ source: layout, reference: liar, into: newPath() }), {
    code: "digest-mismatch",
  });

  const cut = layer.subarray(0, layer.length - 9);
  const cutJson = { manifestVersion: "1.0.0", model: { path: "model" } };
  const torn = await foreign(layout, { type: modelKitTypes.config, json: cutJson }, [{ type, bytes: cut }]);
  await assert.rejects(unpackModelKit({ source: layout, reference: torn, into: newPath() }), {
    code: "archive-invalid",
  });
});

test("a config that contradicts the manifest is refused", async () => {
  const layout = await newLayout();
  const bytes = await tarOf(["m", "x"]);
  const type = "application/vnd.kitops.modelkit.model.v1.tar";
  const config = (model: object) => ({ type: modelKitTypes.config, json: { manifestVersion: "1.0.0", ...model } });
  for (const json of [
    { model: { path: "m", digest: contentDigestOf(bytesOf("other")) } },
    { docs: [{ path: "m" }] },
    { model: { path: "m" }, docs: [{ path: "n" }] },
  ]) {
    const reference = await foreign(layout, config(json), [{ type, bytes }]);
    await assert.rejects(readModelKit(layout, reference), { code: "modelkit-invalid" });
  }
});

test("a ModelPack is read, with raw and zstd layers", async () => {
  const layout = await newLayout();
  const tar = await tarOf(["config.json", "{}"]);
  const layers = [
    {
      type: "application/vnd.cncf.model.weight.v1.raw",
      bytes: bytesOf("weights"),
      annotations: { "org.cncf.model.filepath": "weights/model.safetensors" },
    },
    { type: "application/vnd.cncf.model.weight.config.v1.tar+zstd", bytes: zstdCompressSync(tar) },
  ];
  const diffIds = [contentDigestOf(bytesOf("weights")), contentDigestOf(tar)];
  const json = { descriptor: { name: "m" }, config: {}, modelfs: { type: "layers", diffIds } };
  const reference = await foreign(layout, { type: modelPackTypes.config, json }, layers, modelPackTypes.artifact);
  const unpacked = await unpackModelKit({ source: layout, reference, into: newPath() });
  assert.equal(unpacked.format, "modelpack");
  assert.deepEqual(
    unpacked.files.map(({ kind, name }) => [kind, name]),
    [
      ["model", "weights/model.safetensors"],
      ["config", "config.json"],
    ],
  );
});

test("a ModelPack's path cannot lead outside, and two layers cannot hold one file", async () => {
  const layout = await newLayout();
  const type = "application/vnd.cncf.model.weight.v1.raw";
  const raw = (path: string, text: string) => ({
    type,
    bytes: bytesOf(text),
    annotations: { "org.cncf.model.filepath": path },
  });
  const config = { type: modelPackTypes.config, json: {} };
  for (const layers of [[raw("../outside", "x")], [raw("m", "x"), raw("m", "y")], [raw("m", "x"), raw("M", "y")]]) {
    const reference = await foreign(layout, config, layers);
    const into = newPath();
    await assert.rejects(unpackModelKit({ source: layout, reference, into }), { code: "archive-invalid" });
    assert.ok(!existsSync(join(into, "..", "outside")));
  }
});

test("what is neither a ModelKit nor a ModelPack is refused by name", async () => {
  const layout = await newLayout();
  const reference = await foreign(layout, { type: "application/vnd.oci.image.config.v1+json", json: {} }, []);
  await assert.rejects(readModelKit(layout, reference), { code: "modelkit-invalid", message: /image\.config/ });
});

const kitTar = (kind: string) => `application/vnd.kitops.modelkit.${kind}.v1.tar`;

/** A kit with a model and docs, whose docs layer is the tar that is given. */
async function withDocs(layout: ImageLayout, tar: Uint8Array): Promise<string> {
  const model = await tarOf(["model/m.bin", "weights"]);
  const json = {
    manifestVersion: "1.0.0",
    model: { path: "model", digest: contentDigestOf(model) },
    docs: [{ path: "docs", digest: contentDigestOf(tar) }],
  };
  const layers = [
    { type: kitTar("model"), bytes: model },
    { type: kitTar("docs"), bytes: tar },
  ];
  return foreign(layout, { type: modelKitTypes.config, json }, layers);
}

test("attack: a layer of words brings a file of the model, over one that is there or beside it", async () => {
  const layout = await newLayout();
  for (const name of ["model/m.bin", "model/other.bin", "MODEL/m.bin", "docs2/a.md", "docs.md"]) {
    const into = newPath();
    const reference = await withDocs(layout, await tarOf([name, "x"]));
    await assert.rejects(
      unpackModelKit({ source: layout, reference, into }),
      { code: "archive-invalid", message: /lies outside of it/ },
      name,
    );
    assert.ok(!existsSync(into));
  }
  const fine = await unpackModelKit({
    source: layout,
    reference: await withDocs(layout, await tarOf(["docs/a.md", "x"])),
    into: newPath(),
  });
  assert.equal(fine.files.length, 2);
});

test("attack: names within one layer that are one name on some file systems", async () => {
  const layout = await newLayout();
  for (const pair of [
    ["docs/a.md", "docs/A.md"],
    ["docs/\u00e9.md", "docs/e\u0301.md"],
  ]) {
    const [one, two] = await Promise.all(pair.map((name) => tarOf([name, "x"])));
    // Without the two blocks of zeros that end the first.
    const both = Buffer.concat([one!.subarray(0, one!.length - 1024), two!]);
    const reference = await withDocs(layout, both);
    await assert.rejects(unpackModelKit({ source: layout, reference, into: newPath() }), { code: "archive-invalid" });
  }
});

test("attack: a manifest lies about a layer's size", async () => {
  const layout = await newLayout();
  const tar = await tarOf(["model/m.bin", "weights"]);
  const json = { manifestVersion: "1.0.0", model: { path: "model", digest: contentDigestOf(tar) } };
  const config = describe(modelKitTypes.config, bytesOf(JSON.stringify(json)));
  await layout.pushBlob(config, bytesOf(JSON.stringify(json)));
  const layer = describe(kitTar("model"), tar);
  await layout.pushBlob(layer, tar);
  for (const size of [0, tar.length - 1, tar.length + 1, 2 ** 40]) {
    const { bytes, descriptor } = encodeImageManifest({ config, layers: [{ ...layer, size }] });
    const { digest } = await layout.pushManifest(bytes, descriptor.mediaType);
    const into = newPath();
    await assert.rejects(
      unpackModelKit({ source: layout, reference: digest, into }),
      { code: "size-mismatch" },
      `${size}`,
    );
    assert.ok(!existsSync(into));
  }
});

test("an older kit, whose config names no digests, has names relative to the folder of each part", async () => {
  const layout = await newLayout();
  const json = { manifestVersion: "1.0.0", model: { path: "./models/m.bin" } };
  const layers = [{ type: kitTar("model"), bytes: await tarOf(["m.bin", "weights"]) }];
  const reference = await foreign(layout, { type: modelKitTypes.config, json }, layers);
  const { files } = await unpackModelKit({ source: layout, reference, into: newPath() });
  assert.deepEqual(
    files.map(({ name }) => name),
    ["models/m.bin"],
  );
});
