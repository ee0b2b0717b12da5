import assert from "node:assert/strict";
import { appendFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { temporaryFolder } from "../testing/device-folders.ts";
import { type Payload, PayloadStore } from "./payload-store.ts";

const root = await temporaryFolder(after);
const limit = 64 * 1024 * 1024;

const payload = (index: number, size = 10): Payload => ({
  index,
  role: "input",
  slot: index,
  mediaType: "application/octet-stream",
  bytes: new Uint8Array(size).fill(index),
});

async function indices(store: PayloadStore, from = 0, to = 1_000_000): Promise<number[]> {
  return (await Array.fromAsync(store.read(from, to))).map(({ index }) => index);
}

test("payloads come back in order of index, by range, over several files and openings", async () => {
  const folder = join(root, "order");
  const first = await PayloadStore.open(folder, limit, 0);
  await Promise.all(Array.from({ length: 12 }, (_, i) => first.append([payload(i, 1024 * 1024)])));
  await first.close();
  assert.ok((await readdir(folder)).length > 1);
  const second = await PayloadStore.open(folder, limit, 12);
  await second.append([payload(12)]);
  assert.deepEqual(
    await indices(second),
    Array.from({ length: 13 }, (_, i) => i),
  );
  assert.deepEqual(await indices(second, 3, 6), [3, 4, 5]);
  await second.close();
});

test("a torn item at the end is left out, and what follows goes into a file of its own", async () => {
  const folder = join(root, "torn");
  const first = await PayloadStore.open(folder, limit, 0);
  await first.append([payload(0)]);
  await first.close();
  const [name] = await readdir(folder);
  await appendFile(join(folder, name!), Buffer.from("8501", "hex"));
  const second = await PayloadStore.open(folder, limit, 1);
  await second.append([payload(1)]);
  assert.deepEqual(await indices(second), [0, 1]);
  await second.close();
});

test("payloads of entries that an unclean stop lost are gone, so that their index means one thing", async () => {
  const folder = join(root, "lost");
  const first = await PayloadStore.open(folder, limit, 0);
  for (let i = 0; i < 6; i++) await first.append([payload(i)]);
  await first.close();
  const second = await PayloadStore.open(folder, limit, 4);
  await second.append([{ ...payload(4), slot: 99 }]);
  const items = await Array.fromAsync(second.read(0, 100));
  assert.deepEqual(
    items.map(({ index, slot }) => [index, slot]),
    [
      [0, 0],
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 99],
    ],
  );
  await second.close();
});

test("at the limit there is no room until something was discarded", async () => {
  const store = await PayloadStore.open(join(root, "limit"), 5000, 0);
  await store.append([payload(0, 4000)]);
  assert.equal(store.hasRoomFor(4000), false);
  await store.discardBefore(1);
  assert.equal(store.hasRoomFor(4000), true);
  assert.deepEqual(await indices(store), []);
  await store.append([payload(1, 4000)]);
  assert.deepEqual(await indices(store), [1]);
  await store.close();
});
