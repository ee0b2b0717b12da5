import assert from "node:assert/strict";
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { blob, put, readImage, readIndex, takeOut, writeIndex } from "../testing/carried-layout.ts";
import { Loop } from "../testing/loop.ts";

const inventoryType = "application/vnd.tally.inventory";
const evidenceType = "application/vnd.tally.bundle";

/** A plane whose operator may export, and a site that gets what it exports. */
async function planes(t: TestContext): Promise<{ loop: Loop; site: Loop; trust: string; manifest: string }> {
  const loop = await Loop.start(t);
  await loop.do("keygen", "keys/operator");
  await loop.do("identity", "add", "operator", "--key", "keys/operator.pub.pem", "--may", "export");
  const trust = join(loop.folder, "trust.json");
  await writeFile(trust, await loop.do("trust", "show"));
  const manifest = await loop.publish();
  await loop.enrol();
  await loop.infer();
  const site = await Loop.start(t, { name: "tally.test/site" }, loop);
  return { loop, site, trust, manifest };
}

const signed = ["--key", "keys/operator.pem"];

test("what a carrier takes out, adds, renames or leaves unsigned is named by the inventory that was signed where it was made", async (t) => {
  const { loop, site, trust, manifest } = await planes(t);
  // A second model, so that a whole one can be left out.
  await writeFile(join(loop.folder, "model", "README.md"), "# Another one\n");
  const other = await loop.publish("other:v1", "other:stable");
  await loop.do("export", "tiny:v1", "other:v1", "-o", "carried", "--segments", ...signed);
  const source = join(loop.folder, "carried");
  const { manifests } = await readIndex(source);
  const ofType = (type: string) => manifests.filter(({ artifactType }) => artifactType === type);
  const aboutOther: string[] = [];
  const segments: string[] = [];
  const signatures: string[] = [];
  for (const { digest, artifactType } of manifests) {
    const { subject } = await readImage(source, digest);
    if (subject?.digest === other) aboutOther.push(digest);
    else if (artifactType?.includes("modelkit") && subject !== undefined) segments.push(digest);
    else if (artifactType?.includes("sigstore")) signatures.push(digest);
  }
  assert.equal(segments.length, 1);
  // Of the files, and of the manifest.
  assert.equal(signatures.length, 2);

  const good = await site.try("import", source, "--trust", trust, "--check");
  assert.equal(good.code, 0, good.out + good.err);
  assert.match(good.out, /good +inventory +sha256:\S+ operator signed it; asked for tiny:v1, other:v1 with segments/);
  assert.match(good.out, /good +tag +v1: as the inventory says/);

  async function carrier(what: string, does: (dir: string) => Promise<unknown>, says: RegExp, code = 3): Promise<void> {
    const dir = join(loop.folder, "damaged");
    await rm(dir, { recursive: true, force: true });
    await cp(source, dir, { recursive: true });
    await does(dir);
    const said = await site.try("import", dir, "--trust", trust);
    assert.match(said.out, says, what);
    assert.equal(said.code, code, `${what}: ${said.out}${said.err}`);
    assert.match(said.err, /nothing was taken in/, what);
  }

  await carrier(
    "leaves out a whole model with its evidence",
    (dir) => takeOut(dir, other, ...aboutOther),
    new RegExp(`BAD +inventory +${other}: other/model/1 is missing: it was taken out on the way`),
  );
  await carrier(
    "leaves out a segment",
    (dir) => takeOut(dir, ...segments),
    /BAD +inventory +sha256:\S+ tiny\/segment\/1 is missing/,
  );
  await carrier(
    "leaves out a signature",
    (dir) => takeOut(dir, ...signatures),
    /BAD +inventory +sha256:\S+ tiny\/attached\/1 is missing/,
  );
  await carrier(
    "leaves out the evidence",
    async (dir) => takeOut(dir, ofType(evidenceType)[0]!.digest),
    /BAD +inventory +sha256:\S+ tiny\/evidence\/1 is missing/,
  );
  await carrier(
    "leaves out a model and forgets what refers to it",
    (dir) => takeOut(dir, other),
    new RegExp(`BAD +inventory +${other}: other/model/1 is missing`),
  );
  await carrier(
    "adds an artifact to a model",
    async (dir) => {
      const image = { ...(await readImage(dir, signatures[0]!)), annotations: { note: "added" } };
      const added = await put(dir, JSON.stringify(image));
      const index = await readIndex(dir);
      const like = index.manifests.find(({ digest }) => digest === signatures[0])!;
      await writeIndex(dir, { ...index, manifests: [...index.manifests, { ...like, ...added }] });
    },
    /BAD +inventory +sha256:\S+ it was added on the way/,
  );
  const renamed = (from: string, to: string) => async (dir: string) => {
    const text = await readFile(join(dir, "index.json"), "utf8");
    assert.ok(text.includes(from));
    await writeFile(join(dir, "index.json"), text.replace(from, to));
  };
  await carrier(
    "moves a tag",
    renamed('"org.opencontainers.image.ref.name": "v1"', '"org.opencontainers.image.ref.name": "latest"'),
    /BAD +inventory +sha256:\S+ the layout calls it tiny:latest, and the inventory tiny:v1/,
  );
  await carrier(
    "swaps the tags of two models",
    async (dir) => {
      const index = await readIndex(dir);
      const [a, b] = [manifest, other].map((digest) => index.manifests.find((item) => item.digest === digest)!);
      [a!.annotations, b!.annotations] = [b!.annotations!, a!.annotations!];
      await writeIndex(dir, index);
    },
    /BAD +inventory +sha256:\S+ the layout calls it other:v1, and the inventory tiny:v1/,
  );
  await carrier(
    "leaves out the inventory, where the trust file knows who signs them",
    (dir) => takeOut(dir, ofType(inventoryType)[0]!.digest),
    /not made +inventory +signed list: none came with it/,
    6,
  );
  await carrier(
    "signs an inventory of what is left",
    async (dir) => {
      await takeOut(dir, ofType(inventoryType)[0]!.digest);
      await site.do("keygen", "keys/carrier");
      await loop.do(
        "export",
        "tiny:v1",
        "-o",
        "by-carrier",
        "--segments",
        "--key",
        join(site.folder, "keys/carrier.pem"),
      );
      await rm(dir, { recursive: true });
      await cp(join(loop.folder, "by-carrier"), dir, { recursive: true });
    },
    /not made +inventory +sha256:\S+ nobody of the trust file signed it/,
    6,
  );
  await carrier(
    "has it signed by somebody who may do other things",
    async (dir) => {
      await loop.do("export", "tiny:v1", "-o", "by-publisher", "--key", "keys/publisher.pem");
      await rm(dir, { recursive: true });
      await cp(join(loop.folder, "by-publisher"), dir, { recursive: true });
    },
    /not made +inventory +sha256:\S+ its signature does not count: publisher may not export/,
    6,
  );
  await carrier(
    "puts two exports together",
    async (dir) => {
      await loop.do("export", "tiny:v1", "-o", "second", ...signed);
      const second = join(loop.folder, "second");
      const [index, more] = [await readIndex(dir), await readIndex(second)];
      await cp(join(second, "blobs"), join(dir, "blobs"), { recursive: true });
      const seen = new Set(index.manifests.map(({ digest }) => digest));
      const added = more.manifests.filter(({ digest }) => !seen.has(digest));
      await writeIndex(dir, { ...index, manifests: [...index.manifests, ...added] });
    },
    /BAD +inventory +sha256:\S+ 2 of them came/,
  );
  await carrier(
    "changes a byte of the inventory and mends all digests",
    async (dir) => {
      const { digest } = ofType(inventoryType)[0]!;
      const image = await readImage(dir, digest);
      const text = await readFile(blob(dir, image.layers[0]!.digest), "utf8");
      const { payload, ...envelope } = JSON.parse(text) as { payload: string };
      const changed = Buffer.from(payload, "base64").toString("utf8").replace('"segments":true', '"segments":false');
      const mended = await put(dir, JSON.stringify({ ...envelope, payload: Buffer.from(changed).toString("base64") }));
      await rm(blob(dir, image.layers[0]!.digest));
      Object.assign(image.layers[0]!, mended);
      await rm(blob(dir, digest));
      const index = await readIndex(dir);
      const item = index.manifests.find((each) => each.digest === digest)!;
      Object.assign(item, await put(dir, JSON.stringify(image)));
      await writeIndex(dir, index);
    },
    /not made +inventory +sha256:\S+ nobody of the trust file signed it/,
    6,
  );
});

test("without an inventory an import says that what was left out is not known, and takes it in where nobody signs them", async (t) => {
  const loop = await Loop.start(t);
  await loop.publish();
  await loop.do("export", "tiny:v1", "-o", "carried");
  const said = await loop.try("import", "carried", "--check");
  assert.equal(said.code, 0, said.out);
  assert.match(said.out, /not made +inventory +signed list: none came with it/);
  const series = await loop.try("export", "tiny:v1", "-o", "more", "--series", "site.series");
  assert.equal(series.code, 2);
  assert.match(series.err, /a number that nobody signed counts for nothing/);
});

test("a model under two tags keeps both, and its inventory names both", async (t) => {
  const { loop, site, trust } = await planes(t);
  await loop.do("export", "tiny:v1", "tiny:v1", "-o", "once.tar", ...signed);
  const { url } = loop.plane;
  const headers = { authorization: `Bearer ${loop.token}` };
  const accept = "application/vnd.oci.image.manifest.v1+json";
  const got = await fetch(`${url}/v2/tiny/manifests/v1`, { headers: { ...headers, accept } });
  const body = await got.text();
  const sent = { method: "PUT", headers: { ...headers, "content-type": accept }, body };
  assert.equal((await fetch(`${url}/v2/tiny/manifests/field`, sent)).status, 201);
  await loop.do("export", "tiny:v1", "tiny:field", "-o", "carried.tar", ...signed);
  const carried = join(loop.folder, "carried.tar");
  const said = JSON.parse(await site.do("import", carried, "--trust", trust, "--json"));
  assert.deepEqual(said.taken[0].tags, ["v1", "field"]);
  await site.do("model", "pull", "tiny:field", "-o", "pulled");
});

test("deliveries of a series are numbered: one that never arrived, an old one and a forked one are noticed", async (t) => {
  const { loop, site, trust } = await planes(t);
  const deliver = async (name: string) =>
    JSON.parse(await loop.do("export", "tiny:v1", "-o", name, "--series", "site.series", "--json", ...signed));
  const first = await deliver("1.tar");
  assert.deepEqual([first.delivery.number, first.delivery.previous], [1, undefined]);
  await cp(join(loop.folder, "site.series"), join(loop.folder, "kept.series"));
  const second = await deliver("2.tar");
  assert.equal(second.delivery.previous, first.inventory);
  await deliver("3.tar");
  await deliver("4.tar");
  const take = async (name: string) => {
    const said = await site.try("import", join(loop.folder, name), "--trust", trust, "--json");
    return { ...said, standing: JSON.parse(said.out).delivery.standing as string };
  };
  assert.equal((await take("1.tar")).standing, "next");
  // The carrier has lost 2 and 3.
  const swallowed = await take("4.tar");
  assert.equal(swallowed.standing, "missing");
  assert.match(swallowed.err, /delivery 4: 2 to 3 of its series never arrived here/);
  assert.equal(swallowed.code, 0);
  const late = await take("2.tar");
  assert.equal(late.standing, "older");
  assert.match(late.err, /later ones were taken in before, the newest 4: it is an old one, or came late/);
  assert.equal((await take("2.tar")).standing, "again");
  // Somebody went on from a copy of the series.
  await rm(join(loop.folder, "site.series"));
  await cp(join(loop.folder, "kept.series"), join(loop.folder, "site.series"));
  const forked = await deliver("fork.tar");
  assert.equal(forked.delivery.number, 2);
  const refused = await take("fork.tar");
  assert.equal(refused.standing, "contradicts");
  assert.equal(refused.code, 3);
  assert.match(refused.err, /another delivery 2 was taken in before/);
  // Alone, a file says what it is.
  const checked = JSON.parse(
    await site.do("import", join(loop.folder, "4.tar"), "--trust", trust, "--check", "--json"),
  );
  assert.equal(checked.inventory.delivery.number, 4);
  assert.equal(checked.delivery, null);
  await writeFile(join(loop.folder, "site.series"), "{}");
  const strange = await loop.try("export", "tiny:v1", "-o", "5.tar", "--series", "site.series", ...signed);
  assert.equal(strange.code, 2);
  assert.match(strange.err, /is no series of exports/);
});

test("a key that the fleet log has revoked signs no inventory any more", async (t) => {
  const { loop, site, trust } = await planes(t);
  await loop.do("keygen", "keys/manager");
  await loop.do("identity", "add", "manager", "--key", "keys/manager.pub.pem", "--may", "manage-fleet");
  await loop.do("identity", "revoke", "operator", "--key", "keys/manager.pem", "--reason", "lost");
  await loop.plane.parts.sealer.seal();
  await loop.do("export", "tiny:v1", "-o", "carried", ...signed);
  const said = await site.try("import", join(loop.folder, "carried"), "--trust", trust, "--check");
  assert.equal(said.code, 3, said.out);
  assert.match(said.out, /BAD +inventory +sha256:\S+ the key of operator is revoked/);
});
