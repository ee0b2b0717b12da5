import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { emptyBytes } from "../../artifact/descriptor.ts";
import { type ContentDigest, contentDigestOf } from "../../storage/content-digest.ts";
import { type LoopbackRegistry, loopbackRegistry } from "../../testing/loopback-registry.ts";
import { Pusher, utf8 } from "../../testing/pushes.ts";
import type { RegistryOptions } from "../options.ts";
import type { CollectOptions, Decision } from "./decision.ts";
import type { Named } from "./evidence.ts";

const day = 86_400_000;

/** A registry whose clock stands still until it is moved, and what evidence names in it. */
async function world(t: TestContext, options: Partial<RegistryOptions> = {}) {
  const clock = { time: Date.now(), now: () => clock.time };
  const named: Named[] = [];
  const evidence: RegistryOptions["evidence"] = {
    read: () => ({
      all: async function* () {
        yield* named;
      },
      since: async function* (digests) {
        yield* named.filter(({ digest }) => digests.includes(digest));
      },
      alone: (step) => step(),
    }),
  };
  const registry = await loopbackRegistry(t, { clock, evidence, ...options });
  const collect = (wanted: CollectOptions = {}) => Array.fromAsync(registry.registry.collect(wanted));
  const later = () => {
    clock.time += 2 * day;
  };
  return { registry, client: new Pusher(registry.url), named, collect, later, clock };
}

const removed = (decisions: readonly Decision[], what: Decision["what"]) =>
  decisions.filter((one) => one.action === "remove" && one.what === what).map(({ digest }) => digest);
const why = (decisions: readonly Decision[], digest: ContentDigest) =>
  decisions.filter((one) => one.digest === digest).map(({ action, what, because }) => `${action} ${what}: ${because}`);
const stored = ({ blobs }: LoopbackRegistry) => Array.fromAsync(blobs.list()).then((digests) => digests.sort());

test("a blob that no manifest names goes after a day, with its bytes; one that a manifest names stays", async (t) => {
  const { registry, client, collect, later } = await world(t);
  const lone = utf8("a push that was given up");
  await client.blob("m", lone);
  const image = await client.image("m", "weights", { tag: "v1" });
  assert.deepEqual(removed(await collect(), "blob"), []);
  later();
  const decisions = await collect();
  assert.deepEqual(removed(decisions, "blob"), [contentDigestOf(lone)]);
  assert.deepEqual(removed(decisions, "bytes"), [contentDigestOf(lone)]);
  assert.deepEqual(why(decisions, image.layer.digest), [`keep blob: part of ${image.descriptor.digest}`]);
  assert.deepEqual(why(decisions, image.descriptor.digest), ["keep manifest: tag v1"]);
  const left = [contentDigestOf(emptyBytes), image.layer.digest, image.descriptor.digest].sort();
  assert.deepEqual(await stored(registry), left);
  assert.equal(await client.has("m", image.layer.digest, "blobs"), true);
});

test("a dry run says the same and removes nothing", async (t) => {
  const { registry, client, collect, later } = await world(t);
  await client.image("a", "kept", { tag: "v1" });
  await client.image("a", "given up");
  await client.mount("b", contentDigestOf(utf8("given up")), "a");
  later();
  const before = await stored(registry);
  const dry = await collect({ dryRun: true, untagged: true });
  assert.deepEqual(await stored(registry), before);
  assert.deepEqual(await collect({ dryRun: true, untagged: true }), dry);
  const wet = await collect({ untagged: true });
  const going = (decisions: readonly Decision[]) => decisions.filter(({ action }) => action === "remove");
  assert.deepEqual(going(wet), going(dry));
  assert.equal(removed(wet, "manifest").length, 1);
  assert.equal(removed(wet, "blob").length, 2);
  assert.equal(removed(wet, "bytes").length, 2);
});

test("untagged manifests stay unless they are asked for, and then what tags lead to stays", async (t) => {
  const { client, collect, later } = await world(t);
  const model = await client.image("m", "model", { tag: "v1" });
  const signature = await client.image("m", "signature", { subject: model.descriptor });
  const ofSignature = await client.image("m", "timestamp", { subject: signature.descriptor });
  const listed = await client.image("m", "arm64");
  const index = await client.index("m", [listed.descriptor], "all");
  const old = await client.image("m", "old");
  const ofOld = await client.image("m", "signature of old", { subject: old.descriptor });
  const lost = await client.index("m", [old.descriptor]);
  later();
  assert.deepEqual(removed(await collect(), "manifest"), []);
  const decisions = await collect({ untagged: true });
  const gone = [old, ofOld, lost].map(({ descriptor }) => descriptor.digest).sort();
  assert.deepEqual(removed(decisions, "manifest").sort(), gone);
  assert.deepEqual(why(decisions, signature.descriptor.digest), [
    `keep manifest: refers to ${model.descriptor.digest}`,
  ]);
  assert.deepEqual(why(decisions, listed.descriptor.digest), [`keep manifest: listed by ${index.descriptor.digest}`]);
  for (const { descriptor } of [model, signature, ofSignature, listed, index])
    assert.equal(await client.has("m", descriptor.digest), true);
  assert.equal(await client.has("m", old.layer.digest, "blobs"), false);
});

test("what evidence names stays, with what it refers to, what refers to it, and its parts", async (t) => {
  const { client, collect, later, named } = await world(t);
  const model = await client.image("m", "model");
  const segment = await client.image("m", "segment", { subject: model.descriptor });
  const signature = await client.image("m", "signature", { subject: model.descriptor });
  const rows = utf8("a dataset that lies here as a blob alone");
  await client.blob("m", rows);
  named.push({ digest: segment.descriptor.digest, because: "a segment of a ledger" });
  named.push({ digest: contentDigestOf(rows), because: "a statement names it" });
  later();
  const decisions = await collect({ untagged: true });
  assert.deepEqual(removed(decisions, "manifest"), []);
  assert.deepEqual(removed(decisions, "blob"), []);
  assert.deepEqual(why(decisions, segment.descriptor.digest), ["keep manifest: a segment of a ledger"]);
  assert.deepEqual(why(decisions, model.descriptor.digest), [
    `keep manifest: what ${segment.descriptor.digest} refers to`,
  ]);
  assert.deepEqual(why(decisions, signature.descriptor.digest), [
    `keep manifest: refers to ${model.descriptor.digest}`,
  ]);
  assert.deepEqual(why(decisions, contentDigestOf(rows)), ["keep blob: a statement names it"]);
});

test("a blob that a client was told is there is not taken from under the manifest that it pushes next", async (t) => {
  const { client, collect, later } = await world(t);
  const { layer, bytes, descriptor } = await client.image("m", "weights", { tag: "v1" });
  assert.equal(await client.status("DELETE", `m/manifests/${descriptor.digest}`), 202);
  later();
  for (const { digest } of [layer, { digest: contentDigestOf(emptyBytes) }])
    assert.equal(await client.status("HEAD", `m/blobs/${digest}`), 200);
  assert.deepEqual(removed(await collect(), "blob"), []);
  const pushed = await client.manifest("m", "v1", bytes, descriptor.mediaType);
  assert.equal(pushed.status, 201);
  assert.equal(await client.has("m", layer.digest, "blobs"), true);
});

test("a mount in flight is not taken away: the blob was brought to its new repository just now", async (t) => {
  const { client, collect, later } = await world(t);
  const lone = utf8("shared");
  await client.blob("a", lone);
  later();
  assert.equal((await client.mount("b", contentDigestOf(lone), "a")).status, 201);
  const decisions = await collect();
  assert.deepEqual(
    decisions.filter(({ action }) => action === "remove").map(({ repository }) => repository),
    ["a"],
  );
  assert.equal(await client.has("b", contentDigestOf(lone), "blobs"), true);
});

test("an upload session of hours becomes a blob whose bytes are new", async (t) => {
  const { registry, client, collect } = await world(t);
  const begun = await client.request("POST", "m/blobs/uploads/");
  const place = begun.headers.get("location")!.slice("/v2/".length);
  const content = utf8("slow");
  await client.request("PATCH", place, content);
  await client.request("PUT", `${place}?digest=${contentDigestOf(content)}`);
  const age = Date.now() - (await registry.blobs.has(contentDigestOf(content)))!.storedAt;
  assert.ok(age < 60_000);
  assert.deepEqual(removed(await collect(), "bytes"), []);
});

test("a tag put on a manifest while it is being collected wins, and so does evidence that comes meanwhile", async (t) => {
  const { registry, client, collect, later, named } = await world(t);
  const first = await client.image("m", "first");
  const second = await client.image("m", "second");
  const third = await client.image("m", "third");
  later();
  const decisions: Decision[] = [];
  // Nothing is decided on in `n` before `m` is done, and `m` comes after `a`: the first decision is a moment before m's.
  await client.image("a", "earlier", { tag: "v1" });
  let acted = false;
  for await (const decision of registry.registry.collect({ untagged: true })) {
    decisions.push(decision);
    if (acted) continue;
    acted = true;
    await client.manifest("m", "kept", first.bytes, first.descriptor.mediaType);
    named.push({ digest: second.descriptor.digest, because: "a statement names it" });
  }
  assert.equal(await client.has("m", "kept"), true);
  assert.equal(await client.has("m", first.layer.digest, "blobs"), true);
  assert.equal(await client.has("m", second.descriptor.digest), true);
  assert.deepEqual(removed(decisions, "manifest"), [third.descriptor.digest]);
  await collect();
});

test("a collection that is left in the middle breaks nothing, and the next one ends the work", async (t) => {
  const { registry, client, collect, later } = await world(t);
  for (let i = 0; i < 5; i++) await client.image("m", `old ${i}`);
  const kept = await client.image("m", "kept", { tag: "v1" });
  later();
  for (let leaveAfter = 1; leaveAfter < 12; leaveAfter += 1) {
    let read = 0;
    for await (const _ of registry.registry.collect({ untagged: true, explain: false }))
      if (++read >= leaveAfter) break;
    assert.equal(await client.has("m", "v1"), true);
    assert.equal(await client.has("m", kept.layer.digest, "blobs"), true);
  }
  await collect({ untagged: true });
  const left = [contentDigestOf(emptyBytes), kept.layer.digest, kept.descriptor.digest].sort();
  assert.deepEqual(await stored(registry), left);
});

test("two collections at a time are one too many", async (t) => {
  const { registry, client } = await world(t);
  await client.image("m", "kept", { tag: "v1" });
  const first = registry.registry.collect();
  await first.next();
  await assert.rejects(Array.fromAsync(registry.registry.collect()), { code: "busy" });
  await first.return();
  assert.notEqual((await Array.fromAsync(registry.registry.collect())).length, 0);
});

test("an erased layer of a manifest that stays is no hindrance", async (t) => {
  const { registry, client, collect, later } = await world(t);
  const segment = await client.image("m", "rows", { tag: "v1" });
  assert.equal(await registry.registry.eraseBlob("m", segment.layer.digest), true);
  later();
  assert.deepEqual(removed(await collect({ untagged: true }), "manifest"), []);
  assert.equal(await client.has("m", "v1"), true);
});

test("what is tagged, or asked for, in the very moment between being found and being removed stays", async (t) => {
  let between = async (): Promise<void> => {};
  const { client, collect, later } = await world(t, {
    evidence: {
      read: () => ({
        all: async function* () {},
        // biome-ignore lint/correctness/useYield: nothing comes to be named; something else happens
        since: async function* () {
          await between();
        },
        alone: (step) => step(),
      }),
    },
  });
  const image = await client.image("m", "untagged");
  const lone = utf8("alone");
  await client.blob("n", lone);
  later();
  between = async () => {
    await client.manifest("m", "v1", image.bytes, image.descriptor.mediaType);
    await client.status("HEAD", `n/blobs/${contentDigestOf(lone)}`);
    between = async () => {};
  };
  const decisions = await collect({ untagged: true });
  assert.deepEqual(removed(decisions, "manifest"), []);
  assert.equal(await client.has("m", "v1"), true);
  assert.equal(await client.has("m", image.layer.digest, "blobs"), true);
  assert.deepEqual(removed(await collect(), "blob"), []);
  later();
  between = async () => {
    await client.status("HEAD", `n/blobs/${contentDigestOf(lone)}`);
  };
  assert.deepEqual(removed(await collect(), "blob"), []);
  assert.equal(await client.has("n", contentDigestOf(lone), "blobs"), true);
});
