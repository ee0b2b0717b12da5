import assert from "node:assert/strict";
import { cp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { listedOf, mendManifest, put, readImage, readIndex } from "../testing/carried-layout.ts";
import { Loop } from "../testing/loop.ts";

/** A plane whose device encrypts what it keeps, exported; and another, at which the recipient sits. */
async function planes(t: TestContext): Promise<{ loop: Loop; site: Loop; carried: string; manifest: string }> {
  const loop = await Loop.start(t);
  const manifest = await loop.publish();
  const recipient = await loop.do("data", "keygen", "keys/research");
  await loop.do("data", "keygen", "keys/stranger");
  const enrolment = await loop.do("device", "token", "--name", "ward");
  await loop.do(
    ...["device", "enroll", "--dir", "device", "--enrolment-token", enrolment, "--capture", "full"],
    ...["--recipient", `research=${recipient}`],
  );
  await loop.infer();
  await loop.do("export", "tiny:v1", "-o", "carried", "--segments");
  const site = await Loop.start(t, { name: "tally.test/site" }, loop);
  return { loop, site, carried: join(loop.folder, "carried"), manifest };
}

test("of an encrypted segment its entries are verified, what is not is said with whom it is for, and a recipient opens it there", async (t) => {
  const { loop, site, carried, manifest } = await planes(t);
  const trust = ["--trust", join(loop.folder, "trust.json")];
  const identity = ["--identity", join(loop.folder, "keys", "research.age")];
  const stranger = ["--identity", join(loop.folder, "keys", "stranger.age")];
  for (const given of [[], stranger]) {
    const said = await site.try("import", carried, "--check", ...trust, ...given);
    assert.equal(said.code, 0, said.out);
    assert.match(
      said.out,
      /good +segment +sha256:\S+ entries \d+ to \d+ of \S+, with 2 records of this model, are in that ledger/,
    );
    assert.match(said.out, /not made +contents +sha256:\S+ encrypted to research: .*--identity FILE of one of them/);
  }
  const opened = await site.try("import", carried, ...trust, ...identity);
  assert.equal(opened.code, 0, opened.out);
  assert.match(opened.out, /good +segment +sha256:\S+ 2 rows of entries \d+ to \d+ of \S+, each against its ledger/);
  assert.match(opened.out, /good +contents +sha256:\S+ opened as one of research/);

  const query = ["data", "query", "--model", manifest, "--origin-trust", join(loop.folder, "trust.json")];
  const closed = await site.try(...query, "-o", "closed");
  assert.match(closed.err, /left out 1 segment encrypted to others; --identity opens what is for you/);
  const rows = await site.try(...query, "-o", "rows", ...identity);
  assert.match(rows.err, /2 rows from 1 segment of 1 device/);
});

test("contents of an encrypted segment that a carrier changes are noticed by who can open it, its proof by anybody", async (t) => {
  const { loop, site, carried } = await planes(t);
  const trust = ["--trust", join(loop.folder, "trust.json")];
  const identity = ["--identity", join(loop.folder, "keys", "research.age")];
  const { manifests } = await readIndex(carried);
  const segments = manifests.filter(({ artifactType }) => artifactType?.includes("modelkit"));
  let segment = "";
  for (const { digest } of segments) if ((await readImage(carried, digest)).subject !== undefined) segment = digest;

  const changed = join(loop.folder, "changed");
  for (const part of await listedOf(carried, segment)) {
    await rm(changed, { recursive: true, force: true });
    await cp(carried, changed, { recursive: true });
    const bytes = await readFile(join(changed, "blobs", ...part.split(":")));
    // Within the first file of the tar, behind its header.
    bytes[512 + 200]! ^= 1;
    await mendManifest(changed, segment, part, await put(changed, bytes));
    const closed = await site.try("import", changed, "--check", ...trust);
    const open = await site.try("import", changed, "--check", ...trust, ...identity);
    assert.equal(open.code, 3, `${part}: ${open.out}`);
    assert.match(open.out, /BAD +segment/);
    assert.ok(closed.code === 3 || /not made +contents/.test(closed.out), closed.out);
  }
});
