import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { SaltStore } from "./salt-store.ts";

const folder = await mkdtemp(join(tmpdir(), "tally-salts-"));
after(() => rm(folder, { recursive: true }));

test("a salt lies in the file before it is handed out, in the slot it names", async () => {
  const path = join(folder, "a");
  const store = await SaltStore.open(path);
  const salts = await store.take(3);
  const file = await readFile(path);
  for (const { slot, salt } of salts) assert.deepEqual(new Uint8Array(file.subarray(slot * 32, slot * 32 + 32)), salt);
  assert.deepEqual(
    salts.map(({ slot }) => slot),
    [0, 1, 2],
  );
  await store.close();
});

test("after a clean stop the next salt follows, after an unclean one every drawn salt counts as used", async () => {
  const path = join(folder, "b");
  const first = await SaltStore.open(path);
  const used = await first.take(5);
  const next = first.next;
  await first.close();
  const clean = await SaltStore.open(path, next);
  const [sixth] = await clean.take(1);
  assert.equal(sixth?.slot, 5);
  assert.deepEqual(sixth?.salt, await clean.read(5));
  assert.deepEqual(used[4]?.salt, await clean.read(4));
  await clean.close();
  const unclean = await SaltStore.open(path);
  assert.equal(unclean.next, 4096);
  await unclean.close();
});

test("more salts than one block holds are drawn when asked for", async () => {
  const store = await SaltStore.open(join(folder, "c"));
  const salts = await store.take(10_000);
  assert.equal(new Set(salts.map(({ salt }) => Buffer.from(salt).toString("hex"))).size, 10_000);
  assert.deepEqual(await store.read(9_999), salts[9_999]?.salt);
  await store.close();
});

test("a torn last slot is never handed out", async () => {
  const path = join(folder, "d");
  const first = await SaltStore.open(path);
  await first.take(1);
  await first.close();
  await truncate(path, 10 * 32 + 7);
  const store = await SaltStore.open(path, 8);
  for (const { slot, salt } of await store.take(20)) assert.deepEqual(await store.read(slot), salt);
  await store.close();
});

test("an erased salt is gone", async () => {
  const store = await SaltStore.open(join(folder, "e"));
  const [first, second] = await store.take(2);
  await store.erase([0]);
  assert.equal(await store.read(first?.slot ?? -1), undefined);
  assert.deepEqual(await store.read(1), second?.salt);
  await assert.rejects(store.erase([2]), RangeError);
  await store.close();
});
