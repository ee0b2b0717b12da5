import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  type CollectDecision,
  type Digest,
  decodeEntry,
  digestFromHash,
  digestOf,
  envelopeMediaType,
  eventCodes,
  generatePrivateKeyPem,
  type Hash,
  publicKeyOfPem,
  publicKeyPem,
  type QuotaList,
  type RefusalList,
  type RetentionList,
  signStatement,
  statementSignerFromPem,
  trainingStatement,
  utf8,
} from "@tally/evidence";
import { checkLedger } from "@tally/ledger";
import { type Descriptor, memoryFile, packModelKit, RegistryClient } from "@tally/oci";
import { call, errorOf, json } from "../testing/plane-client.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { TestPlane } from "../testing/test-plane.ts";

const day = 86_400_000;
const repository = "ward/tumours";

async function scene(t: TestContext) {
  const clock = { time: Date.now(), now: () => clock.time };
  const plane = await TestPlane.start(t, { clock });
  const client = new RegistryClient({ url: plane.url, repository, token: plane.adminToken });
  const push = async (name: string, more: { tag?: string; subject?: Descriptor } = {}): Promise<Descriptor> => {
    const kit = await packModelKit({
      files: [memoryFile("data/file", utf8(`content of ${name}`))],
      kitfile: { manifestVersion: "1.0.0", package: { name }, datasets: [{ name, path: "data" }] },
      target: client,
      ...more,
    });
    return kit.descriptor;
  };
  const has = async ({ digest }: Descriptor) =>
    (await plane.call("GET", `/v2/${repository}/manifests/${digest}`)).status === 200;
  const collect = async (body: object) => {
    const answer = await plane.call("POST", "/api/v1/registry/collect", { body });
    assert.equal(answer.status, 200, answer.text);
    const lines = answer.text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const { summary } = lines.pop() as { summary: { manifests: number; blobs: number; files: number; bytes: number } };
    return { summary, decisions: lines as CollectDecision[] };
  };
  return { clock, plane, client, push, has, collect };
}

test("what statements, loads and segments name is never collected; what nothing names goes when it is asked for", async (t) => {
  const { clock, plane, push, has, collect } = await scene(t);
  const stated = await push("stated");
  const used = await push("used");
  const loaded = await push("loaded");
  const signature = await push("signature", { subject: loaded });
  const segment = await push("segment");
  const forgotten = await push("forgotten");

  const pem = generatePrivateKeyPem("p-256");
  const key = publicKeyPem(publicKeyOfPem(pem).spki);
  const introduced = { name: "trainer", key, may: ["train"], repositories: ["*"] };
  assert.equal((await plane.call("POST", "/api/v1/identities", { body: introduced })).status, 201);
  const statement = trainingStatement([{ name: "model", digest: stated.digest as Digest }], {
    buildType: "urn:tally:build:training:v1",
    parameters: {},
    builder: "https://tally.test/trainer",
    dependencies: [{ name: "data", digest: used.digest as Digest, role: "dataset" }],
  });
  const { bytes } = await signStatement(statement, statementSignerFromPem(pem));
  const added = await plane.call("POST", "/api/v1/statements", { body: bytes, type: envelopeMediaType });
  assert.equal(added.status, 201, added.text);

  const device = await TestDevice.enrolled(plane, join(await temporaryFolder(t), "device"));
  t.after(() => device.close());
  await device.load(loaded.digest as Digest);
  await device.append({ kind: "segment", time: 1, from: 0, to: 1, artifact: segment.digest as Digest });
  await device.summary();
  await device.sync(plane);

  clock.time += 40 * day;
  const dry = await collect({ dryRun: true, untagged: true, explain: true });
  assert.equal(await has(forgotten), true);
  const { summary, decisions } = await collect({ untagged: true, explain: true });
  assert.deepEqual(dry.summary, summary);
  assert.deepEqual([summary.manifests, await has(forgotten)], [1, false]);
  for (const kept of [stated, used, loaded, signature, segment]) assert.equal(await has(kept), true);
  const why = ({ digest }: Descriptor) =>
    decisions.find((one) => one.digest === digest && one.what === "manifest")?.because;
  assert.match(why(stated)!, /^the statement sha256:[0-9a-f]{64} names it$/);
  assert.equal(why(loaded), "a device loaded it, as its ledger says");
  assert.equal(why(segment), "a ledger names it as a segment");
  assert.equal(why(signature), `refers to ${loaded.digest}`);
});

test("the daily collection takes no manifest, and its bytes are counted", async (t) => {
  const { clock, plane, push, has } = await scene(t);
  const untagged = await push("untagged");
  const lone = utf8("a push that was given up");
  const post = `/v2/${repository}/blobs/uploads/?digest=${digestOf(lone)}`;
  assert.equal((await plane.call("POST", post, { body: lone, type: "application/octet-stream" })).status, 201);
  clock.time += 2 * day;
  await plane.plane.parts.collections.collect();
  assert.equal(await has(untagged), true);
  assert.equal((await plane.call("GET", `/v2/${repository}/blobs/${digestOf(lone)}`)).status, 404);
  const { text } = await plane.call("GET", "/metrics");
  assert.match(text, new RegExp(`^tally_registry_collected_bytes_total ${lone.length}$`, "m"));
});

test("a write-once repository refuses deletions and moved tags with the rule, each on record in the plane's log", async (t) => {
  const { clock, plane, push, has } = await scene(t);
  const first = await push("first", { tag: "v1" });
  const set = (body: object) => plane.call("PUT", "/api/v1/registry/retention", { body });
  const logSize = () => plane.plane.parts.logs.log.size;
  const before = logSize();
  assert.equal((await set({ repository: "ward/*", seconds: 30 * 86_400 })).status, 200);
  assert.equal(logSize(), before + 1);

  const remove = (path: string) => plane.call("DELETE", `/v2/${repository}/manifests/${path}`);
  const refused = await remove(first.digest);
  assert.equal(refused.status, 403);
  assert.match(refused.text, /DENIED.*written once by the rule ward\/\*/);
  assert.equal((await remove("v1")).status, 403);
  await assert.rejects(push("second", { tag: "v1" }), { code: "refused", message: /409.*ward\/\*/ });
  assert.equal(await has(first), true);
  // Trying again fills no log.
  for (let i = 0; i < 3; i++) assert.equal((await remove(first.digest)).status, 403);
  assert.equal(logSize(), before + 4);
  const { refusals } = json<RefusalList>(await plane.call("GET", "/api/v1/registry/refusals"));
  assert.deepEqual(
    refusals.map(({ action, tag, digest, n }) => [action, tag, digest, n]),
    [
      ["move-tag", "v1", first.digest, 1],
      ["delete-tag", "v1", first.digest, 1],
      ["delete-manifest", "", first.digest, 4],
    ],
  );
  const entry = decodeEntry(await plane.plane.parts.logs.log.entry(refusals.at(-1)!.index));
  assert.ok(entry.kind === "event" && entry.code === eventCodes["registry-refusal"]);
  const said = await plane.call("GET", `/api/v1/blobs/${digestFromHash(entry.fields.get(0) as Hash)}`);
  const { action, digest, rule } = json<Record<string, unknown>>(said);
  assert.deepEqual({ action, digest, rule }, { action: "delete-manifest", digest: first.digest, rule: "ward/*" });
  assert.ok(!said.text.includes(plane.adminToken));

  clock.time += 31 * day;
  assert.equal((await remove(first.digest)).status, 202);
  await plane.seal();
  await plane.stop();
  const { problems, size } = await checkLedger(join(plane.dir, "logs", "log"));
  assert.deepEqual(problems, []);
  assert.ok(size >= before + 4);
});

test("a rule is lengthened and never shortened, and outlives a restart", async (t) => {
  const { plane } = await scene(t);
  const set = async (seconds: number | null) => {
    const answer = await plane.call("PUT", "/api/v1/registry/retention", { body: { repository: "ward/*", seconds } });
    return [answer.status, errorOf(answer)?.code];
  };
  assert.deepEqual(await set(60), [200, undefined]);
  assert.deepEqual(await set(59), [409, "conflict"]);
  assert.deepEqual(await set(3600), [200, undefined]);
  assert.deepEqual(await set(null), [200, undefined]);
  await plane.stop();
  await plane.start();
  assert.deepEqual(await set(3600 * 24 * 365 * 100), [409, "conflict"]);
  const { rules } = json<RetentionList>(await plane.call("GET", "/api/v1/registry/retention"));
  assert.deepEqual(
    rules.map(({ repository, seconds }) => [repository, seconds]),
    [["ward/*", null]],
  );
});

test("erasing a person's data stays possible in a write-once repository: the layer goes, the manifest stays", async (t) => {
  const { plane, client, push, has } = await scene(t);
  const segment = await push("segment");
  await plane.call("PUT", "/api/v1/registry/retention", { body: { repository: "*", seconds: null } });
  const { manifest } = await client.manifest(segment.digest);
  assert.ok(manifest.kind === "image");
  const [layer] = manifest.layers;
  assert.equal(await plane.plane.parts.registry.eraseBlob(repository, layer!.digest), true);
  assert.equal((await plane.call("GET", `/v2/${repository}/blobs/${layer!.digest}`)).status, 404);
  assert.equal(await has(segment), true);
});

test("a push over a quota is refused with its name, also in a race, and room that is made is counted", async (t) => {
  const { plane } = await scene(t);
  const blob = (n: number) => new Uint8Array(1000).fill(n);
  const send = (n: number, to = repository) =>
    plane.call("POST", `/v2/${to}/blobs/uploads/?digest=${digestOf(blob(n))}`, {
      body: blob(n),
      type: "application/octet-stream",
    });
  assert.equal((await send(0)).status, 201);
  const set = await plane.call("PUT", "/api/v1/registry/quotas", { body: { repository: "ward/*", bytes: 5500 } });
  assert.equal(set.status, 200);
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => send(n)));
  const taken = answers.filter(({ status }) => status === 201).length;
  // The first was there before, and costs nothing again.
  assert.equal(taken, 5);
  for (const { status, text } of answers.filter(({ status }) => status !== 201)) {
    assert.equal(status, 403);
    assert.match(text, /"code":"DENIED".*over the quota of ward\/\*/);
  }
  const use = async () =>
    json<QuotaList>(await plane.call("GET", "/api/v1/registry/quotas")).quotas.map(({ usedBytes }) => usedBytes);
  assert.deepEqual(await use(), [5000]);
  assert.equal((await send(50, "elsewhere")).status, 201);
  const held = answers.findIndex(({ status }, n) => n > 0 && status === 201);
  assert.equal((await plane.call("DELETE", `/v2/${repository}/blobs/${digestOf(blob(held))}`)).status, 202);
  assert.deepEqual(await use(), [4000]);
  assert.equal((await send(60)).status, 201);
  assert.deepEqual(await use(), [5000]);
});

test("retention and quotas are set by administrators alone", async (t) => {
  const { plane } = await scene(t);
  for (const role of ["publisher", "scientist", "auditor"] as const) {
    const token = await plane.token(role);
    for (const [path, body] of [
      ["retention", { repository: "*", seconds: 1 }],
      ["quotas", { repository: "*", bytes: 1 }],
    ] as const)
      assert.equal((await call(plane.url, "PUT", `/api/v1/registry/${path}`, { token, body })).status, 403);
    assert.equal((await call(plane.url, "POST", "/api/v1/registry/collect", { token, body: {} })).status, 403);
  }
});
