import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Loop, tally } from "../testing/loop.ts";

interface Row {
  readonly origin: string;
}

/** A plane whose device kept what it saw, and another that took it in and has a device of its own. */
async function planes(t: TestContext): Promise<{ loop: Loop; site: Loop; origin: string; manifest: string }> {
  const loop = await Loop.start(t);
  const manifest = await loop.publish();
  await loop.enrol();
  await loop.infer();
  const site = await Loop.start(t, { name: "tally.test/site" }, loop);
  await loop.do("export", "tiny:v1", "-o", "carried.tar", "--segments");
  const origin = join(loop.folder, "trust.json");
  await site.do("import", join(loop.folder, "carried.tar"), "--trust", origin);
  await site.enrol();
  await site.infer();
  return { loop, site, origin, manifest };
}

async function rowsOf(site: Loop, dir: string): Promise<readonly Row[]> {
  const lines = (await readFile(join(site.folder, dir, "records.jsonl"), "utf8")).trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Row);
}

test("a query finds what was carried here from another plane, proven by that plane's trust file, and each row says whose it is", async (t) => {
  const { site, origin, manifest } = await planes(t);
  const alone = await site.try("data", "query", "--model", manifest, "-o", "own");
  assert.equal(alone.code, 0, alone.err);
  assert.match(alone.err, /what was carried here from another plane is left out; --origin-trust FILE/);
  assert.deepEqual(
    new Set((await rowsOf(site, "own")).map((row) => row.origin.split("/d/")[0])),
    new Set(["tally.test/site"]),
  );

  const query = ["data", "query", "--model", manifest, "--origin-trust", origin];
  const both = await site.try(...query, "-o", "both", "--key", "keys/publisher.pem", "--json");
  assert.equal(both.code, 0, both.err);
  assert.match(both.err, /4 rows from 2 segments of 2 devices, each proven against its ledger/);
  assert.match(both.err, /1 segment of them carried here from tally\.test\/loop/);
  const counts = Map.groupBy(await rowsOf(site, "both"), (row) => row.origin.split("/d/")[0]);
  assert.deepEqual([...counts].map(([plane, rows]) => [plane, rows.length]).sort(), [
    ["tally.test/loop", 2],
    ["tally.test/site", 2],
  ]);
  const { planes: said } = JSON.parse(both.out);
  assert.equal(said[0].plane, "tally.test/loop");
  assert.equal(said[0].segments, 1);
});

test("the trust file of a plane that nothing came from proves nothing of what was carried", async (t) => {
  const { site, manifest } = await planes(t);
  const stranger = await Loop.start(t, { name: "tally.test/loop" });
  const said = await site.try(
    ...["data", "query", "--model", manifest, "-o", "out", "--origin-trust", join(stranger.folder, "trust.json")],
  );
  assert.equal(said.code, 0, said.err);
  assert.match(said.err, /tally\.test\/loop: no evidence of it that holds is here/);
  assert.match(said.err, /2 rows from 1 segment of 1 device/);
  const env = { ...site.env, TALLY_TRUST: "" };
  const none = await tally(
    site.folder,
    env,
    ...["data", "query", "--model", manifest, "-o", "none", "--origin-trust", join(stranger.folder, "trust.json")],
  );
  assert.equal(none.code, 2);
  assert.match(none.err, /needs the trust file of this plane as well/);
});

test("what somebody pushes there as a carried segment is left out, and said", async (t) => {
  const { site, origin, manifest, loop } = await planes(t);
  const headers = { authorization: `Bearer ${site.token}` };
  const url = `${site.plane.url}/v2/tiny`;
  const listed = await (await fetch(`${url}/referrers/${manifest}`, { headers })).json();
  const asked = await fetch(`${loop.plane.url}/api/v1/devices`, { headers: { authorization: `Bearer ${loop.token}` } });
  const [device] = (await asked.json()).devices as { origin: string }[];
  const id = device!.origin.split("/").at(-2);
  const { digest } = listed.manifests.find(
    ({ annotations }: { annotations?: Record<string, string> }) => annotations?.["tally.device"] === id,
  );
  const accept = "application/vnd.oci.image.manifest.v1+json";
  const got = await fetch(`${url}/manifests/${digest}`, { headers: { ...headers, accept } });
  const image = (await got.json()) as { layers: { digest: string; size: number; mediaType: string }[] };
  // A segment without its rows, but with its proof.
  const index = image.layers.findIndex(({ mediaType }) => mediaType.includes("dataset"));
  image.layers.splice(index, 1);
  const sent = { method: "PUT", headers: { ...headers, "content-type": accept }, body: JSON.stringify(image) };
  const made = await fetch(`${url}/manifests/forged`, sent);
  assert.equal(made.status, 201);
  const said = await site.try("data", "query", "--model", manifest, "-o", "out", "--origin-trust", origin);
  assert.equal(said.code, 0, said.err);
  assert.match(said.err, /left out sha256:\S+: /);
  assert.match(said.err, /4 rows from 2 segments of 2 devices/);
});
