import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { truncateSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { hashFiles } from "../hashing/hash-files.ts";
import { ImageLayout } from "../layout/image-layout.ts";
import { memoryFile } from "../tar/entry.ts";
import { temporaryFolder } from "../testing/loopback-registry.ts";
import { filesOfModelKit } from "./kit-files.ts";
import { packModelKit } from "./pack.ts";

const sizes: Readonly<Record<string, number>> = {
  "model/config.json": 200,
  "model/empty": 0,
  [`model/${"long-".repeat(40)}name`]: 70_000,
  "model/weights-1.bin": 3 * 1024 * 1024 + 511,
  "model/weights-2.bin": 512,
};

/** A layout with a kit whose files are so large that most of their bytes are passed over. */
async function packed(t: TestContext) {
  const contents = Object.entries(sizes).map(([name, size]) => [name, Buffer.alloc(size, name)] as const);
  const files = contents.map(([name, bytes]) => memoryFile(name, bytes));
  const target = await ImageLayout.create(join(await temporaryFolder(t), "layout"));
  const kitfile = { manifestVersion: "1.0.0", model: { name: "m", path: "model" } };
  const { layers } = await packModelKit({ files, kitfile, target, tag: "v1" });
  return { target, contents, layer: layers[0]!.descriptor };
}

test("the files of a layer on disk are found without reading them, each where it lies", async (t) => {
  const { target, contents } = await packed(t);
  const { files } = await filesOfModelKit({ source: target, reference: "v1" });
  assert.deepEqual(
    files.map(({ name, size }) => [name, size]),
    contents.map(([name, bytes]) => [name, bytes.length]),
  );
  assert.ok(files.every(({ place, digest }) => place !== undefined && digest === undefined));
  assert.deepEqual(
    await hashFiles(files),
    contents.map(([, bytes]) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`),
  );
});

test("a layer on disk that is cut short within a file that is passed over is refused", async (t) => {
  const { target, layer } = await packed(t);
  truncateSync(target.blobPath(layer.digest), 2 * 1024 * 1024);
  await assert.rejects(filesOfModelKit({ source: target, reference: "v1" }), { code: "archive-invalid" });
});
