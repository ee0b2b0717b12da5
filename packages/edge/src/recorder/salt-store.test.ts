import assert from "node:assert/strict";
import { open, readdir, readFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { EdgeError } from "../error.ts";
import { temporaryFolder } from "../testing/device-folders.ts";
import { SaltStore } from "./salt-store.ts";

const root = await temporaryFolder(after);

const bytes = (salts: readonly { readonly salt: Uint8Array }[]) =>
  salts.map(({ salt }) => Buffer.from(salt).toString("hex"));

async function everyByte(folder: string): Promise<Buffer> {
  return Buffer.concat(await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name)))));
}

test("what a salt is derived from lies in the file before it is handed out, in the slot it names", async () => {
  const folder = join(root, "a");
  const store = await SaltStore.open(folder);
  const salts = await store.take(3);
  const cells = await readFile(join(folder, "cells"));
  for (const { slot, key } of salts) {
    const at = Math.floor(slot / 2) * 32;
    assert.deepEqual(new Uint8Array(cells.subarray(at, at + 32)), new Uint8Array(key));
  }
  assert.deepEqual(
    salts.map(({ slot }) => slot),
    [0, 1, 2],
  );
  assert.equal(new Set(bytes(salts)).size, 3);
  await store.close();
});

test("a record takes whole cells: no key is of two records", async () => {
  const store = await SaltStore.open(join(root, "whole"));
  const [first] = await store.take(1);
  const second = await store.take(2);
  assert.equal(first?.slot, 0);
  assert.deepEqual(
    second.map(({ slot }) => slot),
    [2, 3],
  );
  assert.notDeepEqual(first?.key, second[0]?.key);
  assert.deepEqual(second[0]?.key, second[1]?.key);
  await store.close();
});

test("after a clean stop the next salt follows, after an unclean one every drawn salt counts as used", async () => {
  const folder = join(root, "b");
  const first = await SaltStore.open(folder);
  const used = await first.take(6);
  const next = first.next;
  await first.close();
  const clean = await SaltStore.open(folder, next);
  const [seventh] = await clean.take(1);
  assert.equal(seventh?.slot, 6);
  assert.deepEqual(seventh?.salt, await clean.read(6));
  assert.deepEqual(used[4]?.salt, await clean.read(4));
  await clean.close();
  const unclean = await SaltStore.open(folder);
  assert.equal(unclean.next, 4096);
  await unclean.close();
});

test("more salts than one block holds are drawn when asked for", async () => {
  const store = await SaltStore.open(join(root, "c"));
  const salts = await store.take(10_000);
  assert.equal(new Set(bytes(salts)).size, 10_000);
  assert.deepEqual(await store.read(9_999), salts[9_999]?.salt);
  await store.close();
});

test("a torn last cell is never handed out", async () => {
  const folder = join(root, "d");
  const first = await SaltStore.open(folder);
  await first.take(1);
  await first.close();
  await truncate(join(folder, "cells"), 10 * 32 + 7);
  const store = await SaltStore.open(folder, 8);
  for (const { slot, salt } of await store.take(40)) assert.deepEqual(await store.read(slot), salt);
  await store.close();
});

test("an erased record's salts are gone, and so is its key; others stay", async () => {
  const folder = join(root, "e");
  const store = await SaltStore.open(folder);
  const [first] = await store.take(2);
  const [other] = await store.take(2);
  await store.erase([0]);
  assert.equal(await store.read(0), undefined);
  assert.equal(await store.read(1), undefined);
  assert.deepEqual(await store.read(2), other?.salt);
  assert.equal((await everyByte(folder)).includes(first!.key), false);
  await assert.rejects(store.erase([4]), RangeError);
  await store.close();
});

test("salts of a subject come back after the process is gone, and its id is in no file", async () => {
  const folder = join(root, "subject");
  const subject = "patient-4711-planted";
  const store = await SaltStore.open(folder);
  const salts = await Promise.all(Array.from({ length: 50 }, () => store.takeFor(subject, 2)));
  const unknown = await store.take(2);
  // Neither closed nor marked: what was handed out is durable by then.
  const again = await SaltStore.open(folder);
  for (const { slot, salt } of [...salts.flat(), ...unknown]) assert.deepEqual(await again.read(slot), salt);
  const number = again.subjectNumber(subject);
  assert.equal(number, 1);
  const ownerOf = again.ownerReader();
  assert.deepEqual(await Promise.all([salts[49]![1]!.slot, unknown[0]!.slot].map(ownerOf)), [1, 0]);
  assert.equal((await everyByte(folder)).includes(subject), false);
  assert.equal((await everyByte(folder)).includes(salts[0]![0]!.key), false, "a record's key lies there in clear");
  await Promise.all([store.close(), again.close()]);
});

test("destroying a subject's key takes all of its salts at once, and nobody else's", async () => {
  const folder = join(root, "destroyed");
  const store = await SaltStore.open(folder);
  const [gone] = await store.takeFor("a", 2);
  const [kept] = await store.takeFor("b", 2);
  const number = store.subjectNumber("a");
  assert.ok(number !== undefined);
  store.retire("a");
  await store.destroySubject(number);
  assert.equal(await store.read(gone!.slot), undefined);
  assert.deepEqual(await store.read(kept!.slot), kept?.salt);
  const [fresh] = await store.takeFor("a", 2);
  assert.notEqual(store.subjectNumber("a"), number, "the same key would open what was erased");
  const again = await SaltStore.open(folder);
  assert.equal(await again.read(gone!.slot), undefined);
  assert.deepEqual(await again.read(fresh!.slot), fresh?.salt);
  await Promise.all([store.close(), again.close()]);
});

test("what is said later of a record has its subject's key, too", async () => {
  const store = await SaltStore.open(join(root, "beside"));
  const [record] = await store.takeFor("a", 2);
  const [label] = await store.takeBeside(record!.slot, 1);
  const [stranger] = await store.takeBeside((await store.take(2))[0]!.slot, 1);
  await store.destroySubject(store.subjectNumber("a")!);
  assert.equal(await store.read(label!.slot), undefined);
  assert.deepEqual(await store.read(stranger!.slot), stranger?.salt);
  await store.close();
});

test("a subject without a name, or with one that has no end, is refused", async () => {
  const store = await SaltStore.open(join(root, "names"));
  for (const subject of ["", "x".repeat(1025)]) {
    await assert.rejects(
      store.takeFor(subject, 2),
      (error) => error instanceof EdgeError && error.code === "content-invalid",
    );
  }
  await store.close();
});

test("a keystore whose disk failed makes up for what was lost, before it gives out salts of a subject again", async (t) => {
  const folder = join(root, "failed");
  const store = await SaltStore.open(folder);
  const before = await store.takeFor("a", 2);
  const sizes = await Promise.all(
    ["subjects", "owners"].map(async (name) => (await readFile(join(folder, name))).length),
  );
  const handle = await open(join(folder, "cells"));
  const broken = t.mock.method(Object.getPrototypeOf(handle) as typeof handle, "datasync", async () => {
    throw Object.assign(new Error("ENOSPC: datasync"), { code: "ENOSPC" });
  });
  await handle.close();
  const isFull = { name: "EdgeError", code: "storage-full" };
  await assert.rejects(store.takeFor("b", 2), isFull);
  await assert.rejects(store.takeFor("a", 2), isFull);
  // What an fsync has failed for may be gone from the cache as well.
  await Promise.all(["subjects", "owners"].map((name, i) => truncate(join(folder, name), sizes[i])));
  const next = store.next;
  for (let i = 0; i < 3; i++) await assert.rejects(store.takeFor("b", 2), isFull);
  assert.equal(store.next, next, "a refused record takes no salts once it is known that the disk fails");
  broken.mock.restore();

  const after = [...(await store.takeFor("b", 2)), ...(await store.takeFor("a", 2))];
  const again = await SaltStore.open(folder);
  for (const { slot, salt } of [...before, ...after]) assert.deepEqual(await again.read(slot), salt);
  assert.deepEqual(
    ["a", "b"].map((subject) => again.subjectNumber(subject)),
    [1, 2],
  );
  await Promise.all([store.close(), again.close()]);
});
