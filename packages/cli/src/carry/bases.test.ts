import assert from "node:assert/strict";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readIndex, takeOut, writeIndex } from "../testing/carried-layout.ts";
import { Loop } from "../testing/loop.ts";

const kitfile = (base: string) => `manifestVersion: 1.0.0\nmodel:\n  path: ${base}\ndocs:\n  - path: notes\n`;

/** A model that is nothing but another one with notes of its own, signed as it is unpacked. */
async function tuned(t: TestContext): Promise<{ loop: Loop; base: string; manifest: string }> {
  const loop = await Loop.start(t);
  const base = await loop.pushModel("base:v1");
  const folder = join(loop.folder, "tuned");
  await mkdir(join(folder, "notes"), { recursive: true });
  await cp(join(loop.folder, "model", "model.onnx"), join(folder, "model.onnx"));
  await writeFile(join(folder, "notes", "tuning.md"), "Nothing was changed.\n");
  await writeFile(join(loop.folder, "Kitfile"), kitfile("base:v1"));
  const key = ["--key", "keys/publisher.pem"];
  await loop.do("model", "sign", "tuned", ...key);
  await loop.do("model", "pack", "tuned", "-o", "kit", "--kitfile", "Kitfile");
  const manifest = await loop.do("model", "push", "kit", "tuned:v1", "--signature", "tuned/model.sig", ...key);
  await loop.do("approve", "tuned:v1", "--key", "keys/reviewer.pem");
  await loop.do("release", "tuned:v1", "tuned:stable", ...key);
  return { loop, base, manifest };
}

const named = (name: string) =>
  new RegExp(`good +base +sha256:\\S+ ${name}: its files are among those that the signature`);

test("the base of a model goes with it, is verified by the model's signature, and the other plane serves both", async (t) => {
  const { loop, base, manifest } = await tuned(t);
  const said = JSON.parse(
    await loop.do("export", "tuned:v1", "-o", "carried", "--json", "--key", "keys/publisher.pem"),
  );
  assert.deepEqual(said.models[0].bases, [{ name: "base:v1", manifest: base }]);
  const carried = join(loop.folder, "carried");
  const site = await Loop.start(t, { name: "tally.test/site" }, loop);
  const trust = ["--trust", join(loop.folder, "trust.json")];
  const checked = await site.try("import", carried, "--check", ...trust);
  assert.equal(checked.code, 0, checked.out);
  assert.match(checked.out, named("base:v1"));
  const taken = JSON.parse(await site.do("import", carried, "--json", ...trust));
  assert.deepEqual(
    taken.models.map((model: { manifest: string }) => model.manifest),
    [manifest],
  );
  assert.deepEqual(taken.taken[0].bases, [{ name: "base:v1", manifest: base, result: "taken" }]);
  await site.do("model", "pull", "tuned:v1", "-o", "pulled");
  const [here, there] = await Promise.all(
    [join(site.folder, "pulled"), join(loop.folder, "tuned")].map((dir) => readFile(join(dir, "model.onnx"))),
  );
  assert.deepEqual(here, there);
});

test("a base that a carrier takes out, or puts another in the place of, is noticed", async (t) => {
  const { loop, base, manifest } = await tuned(t);
  await writeFile(join(loop.folder, "model", "model.onnx"), Buffer.alloc(100));
  const evil = await loop.pushModel("evil:v1");
  await loop.do("export", "tuned:v1", "-o", "carried");
  await loop.do("export", "evil:v1", "-o", "evil");
  const source = join(loop.folder, "carried");
  const attached = async (dir: string, subject: string): Promise<string[]> => {
    const { manifests } = await readIndex(dir);
    const found: string[] = [];
    for (const { digest } of manifests) {
      const text = await readFile(join(dir, "blobs", ...digest.split(":")), "utf8");
      if (JSON.parse(text).subject?.digest === subject) found.push(digest);
    }
    return found;
  };
  const without = join(loop.folder, "without");
  await cp(source, without, { recursive: true });
  await takeOut(without, base, ...(await attached(without, base)));
  const missing = await loop.try("import", without, "--check");
  assert.equal(missing.code, 6, missing.out);
  assert.match(missing.out, /not made +base +base:v1: it, or a base of its own, did not come along/);

  const swapped = join(loop.folder, "swapped");
  await cp(without, swapped, { recursive: true });
  await cp(join(loop.folder, "evil", "blobs"), join(swapped, "blobs"), { recursive: true });
  const { manifests } = await readIndex(join(loop.folder, "evil"));
  const index = await readIndex(swapped);
  const renamed = manifests.map((item) =>
    item.digest === evil ? { ...item, annotations: { ...item.annotations, "tally.repository": "base" } } : item,
  );
  await writeIndex(swapped, { ...index, manifests: [...index.manifests, ...renamed] });
  const said = await loop.try("import", swapped, "--check");
  assert.equal(said.code, 3, said.out);
  assert.match(said.out, /BAD +signature/);
  assert.match(said.out, /not made +base +sha256:\S+ base:v1: no signature that counts is over its files/);
  assert.ok(said.out.includes(manifest));
});

test("a base that cannot be had is said at the export, and so is one whose tag leads elsewhere at the other plane", async (t) => {
  const { loop, base } = await tuned(t);
  const site = await Loop.start(t, { name: "tally.test/site" }, loop);
  await loop.do("export", "tuned:v1", "-o", "carried");
  await writeFile(join(site.folder, "model", "README.md"), "# Another one\n");
  const own = await site.pushModel("base:v1");
  assert.notEqual(own, base);
  const trust = ["--trust", join(loop.folder, "trust.json")];
  const taken = await site.do("import", join(loop.folder, "carried"), ...trust);
  assert.match(taken, / +base +sha256:\S+ +base:v1: its tag leads elsewhere here/);

  const headers = { authorization: `Bearer ${loop.token}` };
  const gone = await fetch(`${loop.plane.url}/v2/base/manifests/v1`, { method: "DELETE", headers });
  assert.equal(gone.status, 202);
  const said = await loop.try("export", "tuned:v1", "-o", "without", "--key", "keys/publisher.pem");
  assert.equal(said.code, 0);
  assert.match(
    said.err,
    /left out its base base:v1: it is not in the registry; without it nobody can unpack the model/,
  );
  assert.match(said.out, /base base:v1 left out/);
});

test("a base that is named with its registry's host is carried, and that another registry does not look for it is said", async (t) => {
  const { loop } = await tuned(t);
  await rm(join(loop.folder, "kit"), { recursive: true });
  const host = new URL(loop.plane.url).host;
  await writeFile(join(loop.folder, "Kitfile"), kitfile(`${host}/base:v1`));
  await loop.do("model", "pack", "tuned", "-o", "kit", "--kitfile", "Kitfile");
  const key = ["--key", "keys/publisher.pem"];
  await loop.do("model", "push", "kit", "tuned:v2", "--signature", "tuned/model.sig", ...key);
  await loop.do("approve", "tuned:v2", "--key", "keys/reviewer.pem");
  await loop.do("release", "tuned:v2", "tuned:stable", ...key);
  await loop.do("export", "tuned:v2", "-o", "carried");
  const site = await Loop.start(t, { name: "tally.test/site" }, loop);
  const trust = ["--trust", join(loop.folder, "trust.json")];
  const taken = await site.do("import", join(loop.folder, "carried"), ...trust);
  assert.match(taken, new RegExp(`base +sha256:\\S+ +${host}/base:v1: named with another registry's host`));
});
