import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { modelSignatureType } from "@tally/evidence";
import { type Header, pack } from "tar-stream";
import { blob, put, readIndex, writeIndex } from "../testing/carried-layout.ts";
import { Loop, type Said } from "../testing/loop.ts";

/** A plane with a released model and a segment of it. Made once: exports of it are then damaged, each test its own. */
async function origin(t: TestContext): Promise<{ loop: Loop; manifest: string }> {
  const loop = await Loop.start(t);
  const manifest = await loop.publish();
  await loop.enrol();
  await loop.infer();
  return { loop, manifest };
}

test("a model with its segment goes by tar to another plane, which serves it to a device of its own", async (t) => {
  const { loop, manifest } = await origin(t);
  await loop.do("export", "tiny:v1", "-o", "carried.tar", "--segments");
  const site = await Loop.start(t, { name: "tally.test/site" }, loop);
  const trust = join(loop.folder, "trust.json");
  const taken = JSON.parse(await site.do("import", join(loop.folder, "carried.tar"), "--trust", trust, "--json"));
  assert.equal(taken.outcome, "good");
  const [model] = taken.models;
  assert.equal(model.repository, "tiny");
  const results = (name: string) =>
    model.checks
      .filter((check: { name: string }) => check.name === name)
      .map((check: { result: string }) => check.result);
  assert.deepEqual(results("signature"), ["good"]);
  assert.deepEqual(results("segment"), ["good"]);
  assert.deepEqual(results("evidence"), ["good"]);
  assert.deepEqual(results("tag"), ["not made"]);
  assert.deepEqual(taken.taken[0].tags, ["v1"]);
  assert.deepEqual(
    new Set(taken.taken[0].statements.map(({ result }: { result: string }) => result)),
    new Set(["taken"]),
  );
  // Its own device, by its own trust file, from its own plane.
  await site.do("model", "pull", `tiny@${manifest}`, "-o", "pulled");
  await site.enrol();
  await site.infer();
  const headers = { authorization: `Bearer ${site.token}` };
  const listed = await fetch(`${site.plane.url}/v2/tiny/referrers/${manifest}`, { headers });
  const types = (await listed.json()).manifests.map(({ artifactType }: { artifactType: string }) => artifactType);
  // Both signatures, the evidence, the segment that was carried and the one of the device here.
  assert.equal(types.length, 5);
  // Importing again changes nothing.
  const again = JSON.parse(await site.do("import", join(loop.folder, "carried.tar"), "--trust", trust, "--json"));
  assert.equal(again.taken[0].sent, 0);
  assert.deepEqual(again.taken[0].statements, taken.taken[0].statements);
});

test("the same layout makes the same tar, and folder and tar say the same", async (t) => {
  const { loop } = await origin(t);
  await loop.do("export", "tiny:v1", "-o", "carried");
  const { packCarrier } = await import("@tally/oci");
  const tar = async () => createHash("sha256").update(Buffer.concat(await Array.fromAsync(packCarrier(dir))));
  const dir = join(loop.folder, "carried");
  assert.equal((await tar()).digest("hex"), (await tar()).digest("hex"));
  await writeFile(join(loop.folder, "by-hand.tar"), Buffer.concat(await Array.fromAsync(packCarrier(dir))));
  const said = (path: string) => loop.do("import", path, "--check");
  const [folder, archive] = [await said("carried"), await said("by-hand.tar")];
  assert.equal(folder, archive);
  assert.match(folder, /\ngood: every required check held$/);
  // Without --segments nobody's data travels.
  const index = await readIndex(dir);
  assert.equal(index.manifests.length, 4);
});

/** The signature of the model's files; that of its manifest is a bundle of the same type. */
async function modelSignatureIn(dir: string): Promise<{ readonly digest: string }> {
  for (const item of (await readIndex(dir)).manifests) {
    const { annotations = {} } = JSON.parse(await readFile(blob(dir, item.digest), "utf8"));
    if (annotations["dev.sigstore.bundle.predicateType"] === modelSignatureType) return item;
  }
  throw new Error(`no model signature is in ${dir}`);
}

test("what is carried is damaged: each is refused with what was wrong, and nothing is taken in", async (t) => {
  const { loop, manifest } = await origin(t);
  await loop.do("export", "tiny:v1", "-o", "carried", "--segments");
  const source = join(loop.folder, "carried");
  const site = await Loop.start(t, { name: "tally.test/site" }, loop);
  const trust = join(loop.folder, "trust.json");
  const damages = join(loop.folder, "damages");
  await mkdir(damages);

  async function attack(
    name: string,
    damage: (dir: string) => Promise<unknown>,
    says: RegExp,
    code = 3,
  ): Promise<Said> {
    const dir = join(damages, name.replaceAll(" ", "-"));
    await cp(source, dir, { recursive: true });
    await damage(dir);
    const said = await site.try("import", dir, "--trust", trust);
    assert.match(said.out + said.err, says, name);
    assert.equal(said.code, code, `${name}: ${said.out}${said.err}`);
    assert.match(said.err, /nothing was taken in/);
    return said;
  }
  const layers = async (dir: string) => {
    const of = JSON.parse(await readFile(blob(dir, manifest), "utf8")) as { layers: { digest: string }[] };
    return of.layers.map(({ digest }) => digest);
  };
  const evidenceOf = async (dir: string) =>
    (await readIndex(dir)).manifests.find(({ artifactType }) => artifactType === "application/vnd.tally.bundle")!;

  await attack(
    "flipped byte in a layer",
    async (dir) => {
      const [layer] = await layers(dir);
      const bytes = await readFile(blob(dir, layer!));
      bytes[100]! ^= 1;
      await writeFile(blob(dir, layer!), bytes);
    },
    /BAD +blob +sha256:[0-9a-f]+: its bytes are sha256:/,
  );
  await attack(
    "dropped blob",
    async (dir) => rm(blob(dir, (await layers(dir))[0]!)),
    /BAD +part .*: part of .*, and not here/,
  );
  await attack("cut blob", async (dir) => truncate(blob(dir, (await layers(dir))[0]!), 10), /BAD +blob/);
  await attack("added blob", (dir) => put(dir, "smuggled"), /BAD +nothing added +sha256:.*nothing in the layout names/);
  await attack("added file", (dir) => writeFile(join(dir, "README"), "run me"), /BAD +nothing added +README/);
  await attack(
    "link in place of a blob",
    async (dir) => {
      const [layer] = await layers(dir);
      await rm(blob(dir, layer!));
      await symlink("/etc/hostname", blob(dir, layer!));
    },
    /BAD +nothing added +blobs.*no plain file/,
  );
  await attack(
    "link in place of the index",
    async (dir) => {
      await rm(join(dir, "index.json"));
      await symlink("/dev/zero", join(dir, "index.json"));
    },
    /index.json is no plain file/,
  );
  await attack(
    "dropped model, its referrers left",
    async (dir) => {
      const index = await readIndex(dir);
      await writeIndex(dir, { ...index, manifests: index.manifests.filter(({ digest }) => digest !== manifest) });
    },
    /BAD +manifest .*what it refers to, sha256:[0-9a-f]+, is not here/,
  );
  await attack(
    "swapped manifest under the old name",
    async (dir) => {
      const other = (await readIndex(dir)).manifests.find(({ digest }) => digest !== manifest)!;
      await cp(blob(dir, other.digest), blob(dir, manifest));
    },
    /BAD/,
  );
  await attack(
    "another model under the tag, with no word of anybody about it",
    async (dir) => {
      const bytes = `${await readFile(blob(dir, manifest), "utf8")}\n`;
      const other = await put(dir, bytes);
      const index = await readIndex(dir);
      const swapped = index.manifests.map((item) => (item.digest === manifest ? { ...item, ...other } : item));
      await writeIndex(dir, { ...index, manifests: swapped });
    },
    /what it refers to/,
  );
  await attack(
    "another model beside it, with the tag and no evidence",
    async (dir) => {
      const other = await put(dir, `${await readFile(blob(dir, manifest), "utf8")}\n`);
      const index = await readIndex(dir);
      const first = index.manifests.find(({ digest }) => digest === manifest)!;
      await writeIndex(dir, { ...index, manifests: [...index.manifests, { ...first, ...other }] });
    },
    /not made +evidence +sha256:.*no evidence came with it/,
    6,
  );
  await attack(
    "another repository in the index",
    async (dir) => {
      const index = await readIndex(dir);
      for (const item of index.manifests) if (item.annotations) item.annotations["tally.repository"] = "critical";
      await writeIndex(dir, index);
    },
    /BAD +repository .*the layout says critical, and the model's signed statement tiny/,
  );
  await attack(
    "evidence left out",
    async (dir) => {
      const { digest } = await evidenceOf(dir);
      const { layers: parts } = JSON.parse(await readFile(blob(dir, digest), "utf8")) as {
        layers: { digest: string }[];
      };
      const index = await readIndex(dir);
      await writeIndex(dir, { ...index, manifests: index.manifests.filter((item) => item.digest !== digest) });
      await rm(blob(dir, digest));
      await rm(blob(dir, parts[0]!.digest));
    },
    /not made +evidence .*no evidence came with it/,
    6,
  );
  await attack(
    "evidence with a byte changed, and all digests mended",
    async (dir) => {
      const { digest, ...item } = await evidenceOf(dir);
      const attached = JSON.parse(await readFile(blob(dir, digest), "utf8"));
      const [layer] = attached.layers as { digest: string; size: number }[];
      const bytes = await readFile(blob(dir, layer!.digest));
      bytes[bytes.length >> 1]! ^= 1;
      await rm(blob(dir, layer!.digest));
      Object.assign(layer!, await put(dir, bytes));
      await rm(blob(dir, digest));
      const mended = await put(dir, JSON.stringify(attached));
      const index = await readIndex(dir);
      const others = index.manifests.filter((each) => each.digest !== digest);
      await writeIndex(dir, { ...index, manifests: [...others, { ...item, ...mended }] });
    },
    /BAD +evidence/,
  );
  await attack(
    "a signature of a stranger in the place of the publisher's",
    async (dir) => {
      const index = await readIndex(dir);
      const { digest } = await modelSignatureIn(dir);
      const signature = index.manifests.find((item) => item.digest === digest)!;
      await site.do("keygen", "keys/stranger");
      await rm(join(site.folder, "model", "model.sig"), { force: true });
      await site.do("model", "sign", "model", "--key", "keys/stranger.pem");
      const attached = JSON.parse(await readFile(blob(dir, signature.digest), "utf8"));
      await rm(blob(dir, attached.layers[0].digest));
      Object.assign(attached.layers[0], await put(dir, await readFile(join(site.folder, "model", "model.sig"))));
      await rm(blob(dir, signature.digest));
      Object.assign(signature, await put(dir, JSON.stringify(attached)));
      await writeIndex(dir, index);
    },
    /BAD +signature .*none of those that came with it is of anyone who may sign it/,
  );
  // None of it has left anything.
  const headers = { authorization: `Bearer ${site.token}` };
  assert.equal((await fetch(`${site.plane.url}/v2/tiny/tags/list`, { headers })).status, 404);
  assert.deepEqual(
    JSON.parse(await (await fetch(`${site.plane.url}/api/v1/statements`, { headers })).text()).statements,
    [],
  );
  // And what was not touched is good.
  await site.do("import", source, "--trust", trust);
});

test("the trust file is the importer's: that of another plane proves nothing of this one's evidence", async (t) => {
  const { loop } = await origin(t);
  await loop.do("export", "tiny:v1", "-o", "carried");
  const site = await Loop.start(t, { name: "tally.test/site" }, loop);
  const said = await site.try("import", join(loop.folder, "carried"), "--check");
  assert.equal(said.code, 3, said.out);
  assert.match(said.out, /BAD +plane checkpoint/);
  const none = await site.try("import", join(loop.folder, "carried"), "--check", "--trust", "");
  assert.equal(none.code, 2);
});

test("a model that nobody has approved is not proven, and is taken in only where that was said", async (t) => {
  const loop = await Loop.start(t);
  await loop.pushModel("tiny:v1");
  await loop.do("export", "tiny:v1", "-o", "carried");
  const site = await Loop.start(t, { name: "tally.test/site" }, loop);
  const trust = ["--trust", join(loop.folder, "trust.json")];
  const carried = join(loop.folder, "carried");
  const said = await site.try("import", carried, ...trust);
  assert.equal(said.code, 6);
  assert.match(said.out, /not made +approval/);
  const taken = await site.try("import", carried, "--even-unproven", ...trust);
  assert.equal(taken.code, 6);
  assert.match(taken.err, /1 model taken in/);
  // The site approves and releases for itself.
  await site.do("approve", "tiny:v1", "--key", "keys/reviewer.pem");
  await site.do("release", "tiny:v1", "tiny:stable", "--key", "keys/publisher.pem");
});

test("a plane takes nobody's statements because they were carried to it: strangers are refused, and it says so", async (t) => {
  const { loop } = await origin(t);
  await loop.do("export", "tiny:v1", "-o", "carried");
  const site = await Loop.start(t, { name: "tally.test/site" });
  const said = await site.try("import", join(loop.folder, "carried"), "--trust", join(loop.folder, "trust.json"));
  assert.equal(said.code, 4);
  assert.match(said.out, /refused +sha256:.*which this plane does not know/);
  assert.match(said.err, /tally identity add/);
});

test("a carried tag never moves one that is there", async (t) => {
  const { loop, manifest } = await origin(t);
  await loop.do("export", "tiny:v1", "-o", "carried");
  const site = await Loop.start(t, { name: "tally.test/site" }, loop);
  await writeFile(join(site.folder, "model", "README.md"), "# Another one\n");
  const own = await site.pushModel("tiny:v1");
  const trust = ["--trust", join(loop.folder, "trust.json")];
  const { taken } = JSON.parse(await site.do("import", join(loop.folder, "carried"), "--json", ...trust));
  assert.deepEqual(taken[0].tags, []);
  assert.notEqual(own, manifest);
  await site.do("model", "pull", "tiny:v1", "-o", "pulled");
  assert.match(await readFile(join(site.folder, "pulled", "README.md"), "utf8"), /Another one/);
  await site.do("model", "pull", `tiny@${manifest}`, "-o", "carried-here");
});

interface Entry {
  readonly name: string;
  readonly type?: Header["type"];
  readonly linkname?: string;
}

/** A tar as another program, perhaps an ill-meaning one, might have written it. */
async function foreignTar(entries: readonly Entry[]): Promise<Buffer> {
  const archive = pack();
  for (const entry of entries) {
    if (entry.type === undefined) archive.entry({ name: entry.name }, "{}");
    else archive.entry({ ...entry });
  }
  archive.finalize();
  return Buffer.concat(await Array.fromAsync(archive as AsyncIterable<Buffer>));
}

/** The first header says eight gigabytes, and its checksum is right. */
function bomb(tar: Buffer): Buffer {
  tar.write("77777777777\0", 124, "latin1");
  tar.fill(" ", 148, 156);
  const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  tar.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return tar;
}

const tars: readonly (readonly [attack: string, entries: readonly Entry[], says: RegExp])[] = [
  ["climbs out with ..", [{ name: "../outside" }], /\.\./],
  ["is absolute", [{ name: "/tmp/outside" }], /absolute/],
  ["is a symbolic link", [{ name: "index.json", type: "symlink", linkname: "/etc/passwd" }], /symlink/],
  ["is a hard link", [{ name: "blobs/sha256/aa", type: "link", linkname: "index.json" }], /is a link/],
  ["is a device", [{ name: "index.json", type: "character-device" }], /character-device/],
  ["comes twice", [{ name: "index.json" }, { name: "index.json" }], /comes twice/],
  ["differs in case only", [{ name: "index.json" }, { name: "INDEX.json" }], /same name/],
  ["is no file of a layout", [{ name: "install.sh" }], /no file of an image layout/],
  ["is no digest", [{ name: "blobs/sha256/abc" }], /no file of an image layout/],
  ["promises more bytes than the tar has", [{ name: `blobs/sha256/${"0".repeat(64)}` }], /unpacks to more than/],
];

for (const [attack, entries, says] of tars) {
  test(`a tar in which a name ${attack} is refused`, async (t) => {
    const loop = await Loop.start(t);
    const tar = await foreignTar(entries);
    await writeFile(join(loop.folder, "bad.tar"), attack.startsWith("promises") ? bomb(tar) : tar);
    const before = await readdir(loop.folder);
    const said = await loop.try("import", "bad.tar", "--check");
    assert.equal(said.code, 3, said.out + said.err);
    assert.match(said.out, says);
    assert.deepEqual(await readdir(loop.folder), before);
  });
}
