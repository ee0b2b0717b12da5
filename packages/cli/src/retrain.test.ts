import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Loop } from "./testing/loop.ts";

const year = ["--from", "2020-01-01", "--to", "2100-01-01"] as const;

interface Lineage {
  readonly nodes: readonly { readonly id: string; readonly kind: string; readonly detail?: string }[];
  readonly edges: readonly { readonly from: string; readonly to: string; readonly relation: string }[];
}

test("what a query selected is a training's input, and the new model leads back to the devices' rows and to what is kept out of them", async (t) => {
  const loop = await Loop.start(t);
  const key = ["--key", "keys/publisher.pem"];
  const first = await loop.publish();
  await loop.enrol();
  await loop.infer();

  const set = JSON.parse(await loop.do("data", "query", "--model", first, "-o", "field", ...key, "--json"));
  const [{ digest: csv }] = set.files as [{ digest: string }];
  const [{ manifest: segment, origin }] = set.segments as [{ manifest: string; origin: string }];
  await loop.do("statement", "list", "--subject", csv, "--type", "selection");

  // The next model: other bytes, trained on what was selected.
  await writeFile(join(loop.folder, "model", "README.md"), "# The same, trained on what came back\n");
  const training = {
    buildDefinition: {
      buildType: "urn:tally:build:training:v1",
      externalParameters: { seed: 1 },
      resolvedDependencies: [
        { name: "rows.csv", digest: { sha256: csv.slice("sha256:".length) }, annotations: { role: "dataset" } },
        {
          name: "tiny:v1",
          digest: { sha256: first.slice("sha256:".length) },
          annotations: { role: "model", relation: "fine-tune" },
        },
      ],
    },
    runDetails: { builder: { id: "https://example.org/trainer" }, metadata: {} },
  };
  await writeFile(join(loop.folder, "training.json"), JSON.stringify(training));
  const subject = ["--subject", "model/README.md", "--subject", "model/model.onnx"];
  await loop.do("statement", "sign", "training.json", "--type", "training", ...subject, ...key, "-o", "training.dsse");
  await loop.do("statement", "post", "training.dsse");
  const second = await loop.publish("tiny:v2");
  assert.notEqual(second, first);
  await loop.infer();

  const leadsTo = (lineage: Lineage, goal: string) => {
    const reached = new Set([second]);
    for (let size = 0; size < reached.size; ) {
      size = reached.size;
      for (const { from, to } of lineage.edges) if (reached.has(from)) reached.add(to);
    }
    return reached.has(goal);
  };
  const lineage: Lineage = JSON.parse(await loop.do("trace", second, "--json"));
  for (const goal of [csv, segment, origin, first])
    assert.ok(leadsTo(lineage, goal), `no way from ${second} to ${goal}`);
  const relations = new Set(lineage.edges.map(({ relation }) => relation));
  for (const relation of ["selected by", "takes", "recorded on", "records of", "fine-tune"]) {
    assert.ok(relations.has(relation), relation);
  }

  // The same by proof: an answer of the new model, offline.
  await loop.do("audit", "--model", second, ...year, "-o", "second.tally");
  const proven = JSON.parse(await loop.do("verify", "second.tally", "--json"));
  const [model] = proven.answer.models;
  assert.deepEqual(model.origin.trainedBy, ["publisher"]);
  assert.deepEqual(model.origin.parents, [first]);
  const [data] = model.origin.data;
  assert.deepEqual([data.digest, data.source, data.segments[0].origin], [csv, `records made by ${first}`, origin]);

  // What it learned from is put under quarantine: its answer, its lineage and the next query say so.
  await loop.do("keygen", "keys/steward");
  const may = ["--may", "quarantine"];
  await loop.do("identity", "add", "steward", "--key", "keys/steward.pub.pem", ...may);
  await writeFile(join(loop.folder, "trust.json"), await loop.do("trust", "show"));
  const put = ["quarantine", "segment", `tiny@${segment}`, "--reason", "labels were swapped"];
  const statement = await loop.do(...put, "--key", "keys/steward.pem");
  await loop.plane.parts.sealer.seal();
  await loop.do("audit", "--model", second, ...year, "-o", "after.tally");
  const after = JSON.parse(await loop.do("verify", "after.tally", "--json"));
  assert.deepEqual(
    after.answer.quarantines.map((found: { statement: string; by: string[] }) => [found.statement, found.by]),
    [[statement, ["steward"]]],
  );
  const shown: Lineage = JSON.parse(await loop.do("trace", second, "--json"));
  assert.match(
    shown.nodes.find(({ id }) => id === segment)?.detail ?? "",
    /under quarantine by steward: labels were swapped/,
  );
  const again = await loop.try("data", "query", "--model", first, "-o", "again", ...key, "--json");
  assert.match(again.err, new RegExp(`left out 1 segment under quarantine ${statement}`));
  assert.equal(JSON.parse(again.out).rows, 0);
  assert.equal(await readFile(join(loop.folder, "again", "records.jsonl"), "utf8"), "");
});

test("attack: who may not quarantine keeps nothing out of a query, whatever the plane's operator lets in", async (t) => {
  const loop = await Loop.start(t);
  const first = await loop.publish();
  await loop.enrol();
  await loop.infer();
  await loop.do("keygen", "keys/intruder");
  await loop.do("identity", "add", "intruder", "--key", "keys/intruder.pub.pem", "--may", "quarantine");
  await loop.do("quarantine", "model", first, "--reason", "because", "--key", "keys/intruder.pem");
  const unknown = await loop.try("data", "query", "--model", first, "-o", "unknown");
  assert.match(unknown.err, /quarantine sha256:\S+ does not count: signer: nobody of the trust file signed it/);
  assert.match(unknown.err, /2 rows from 1 segment/);
  const file = JSON.parse(await loop.do("trust", "show"));
  const intruder = file.identities.find(({ name }: { name: string }) => name === "intruder");
  const elsewhere = {
    ...file,
    identities: file.identities.map((one: object) => (one === intruder ? { ...one, repositories: ["toys"] } : one)),
  };
  await writeFile(join(loop.folder, "trust.json"), JSON.stringify(elsewhere));
  const limited = await loop.try("data", "query", "--model", first, "-o", "limited");
  assert.match(limited.err, /does not count: rights: intruder may quarantine for toys, not for tiny/);
  assert.match(limited.err, /2 rows from 1 segment/);
});

test("a quarantine of a model is carried to another plane with it, and so is what lifts it; one of a device stays where the device is", async (t) => {
  const loop = await Loop.start(t);
  const manifest = await loop.publish();
  await loop.enrol();
  await loop.infer();
  await loop.do("keygen", "keys/steward");
  await loop.do("identity", "add", "steward", "--key", "keys/steward.pub.pem", "--may", "quarantine");
  await writeFile(join(loop.folder, "trust.json"), await loop.do("trust", "show"));
  const say = async (...args: readonly string[]) =>
    (await loop.do("quarantine", ...args, "--reason", "poisoned", "--key", "keys/steward.pem")).trim();
  const { devices } = JSON.parse(await loop.do("device", "status", "--json"));
  await say("device", devices[0].deviceId);
  const first = await say("model", manifest);
  await say("lift", first);
  const second = await say("model", manifest);
  await loop.plane.parts.sealer.seal();
  await loop.do("export", "tiny:v1", "-o", "carried.tar");

  const site = await Loop.start(t, { name: "tally.test/site" }, loop);
  await site.do("identity", "add", "steward", "--key", "keys/steward.pub.pem", "--may", "quarantine");
  await site.do("import", join(loop.folder, "carried.tar"), "--trust", join(loop.folder, "trust.json"));
  const found = JSON.parse(await site.do("quarantine", "list", "--all", "--json"));
  assert.deepEqual(
    found.map(({ statement, lifted }: { statement: string; lifted: object | null }) => [statement, lifted !== null]),
    [
      [first, true],
      [second, false],
    ],
  );
  const release = await site.try("release", "tiny:v1", "tiny:stable", "--key", "keys/publisher.pem");
  assert.equal(release.code, 4);
  assert.match(release.err, /not-quarantined: quarantined by steward: poisoned/);
});
