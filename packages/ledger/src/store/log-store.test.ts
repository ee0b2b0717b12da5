import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  concatBytes,
  decodeEntryBundle,
  emptyRoot,
  equalBytes,
  hashLeaf,
  rootOf,
  verifyConsistency,
  verifyInclusion,
  verifyRange,
  verifySubtreeConsistency,
} from "@tally/evidence";
import fc from "fast-check";
import { LedgerError } from "../error.ts";
import { sampleEntries, sampleEntry } from "../testing/sample-entries.ts";
import { SimulatedDisk } from "../testing/simulated-disk.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { LogStore } from "./log-store.ts";

const origin = "tally.test/log";
const SIZE = 1500;

/** A log in memory whose commits have the given sizes. */
async function memoryLog(commits: readonly number[], disk = new SimulatedDisk()): Promise<LogStore> {
  const store = await LogStore.open({ dir: "/log", origin, files: disk });
  for (const count of commits) await store.append(sampleEntries(store.size, store.size + count));
  return store;
}

const leaves = (from: number, to: number) => sampleEntries(from, to).map(hashLeaf);

function code(expected: string) {
  return (error: unknown) => error instanceof LedgerError && error.code === expected;
}

test("an empty log has the empty root and no entries", async (t) => {
  const store = await LogStore.open({ dir: await temporaryFolder(t), origin });
  assert.equal(store.size, 0);
  assert.deepEqual(await store.root(), emptyRoot);
  await assert.rejects(store.entry(0), code("out-of-range"));
  await store.close();
});

test("roots at every size are those of the tree over the entries, before and after reopening", async (t) => {
  const dir = await temporaryFolder(t);
  const store = await LogStore.open({ dir, origin });
  for (const count of [1, 2, 253, 300, 1, 700, 243]) {
    await store.append(sampleEntries(store.size, store.size + count));
    assert.deepEqual(await store.root(), rootOf(leaves(0, store.size)));
  }
  await store.close();
  const again = await LogStore.open({ dir, origin });
  assert.equal(again.size, SIZE);
  for (const size of [0, 1, 2, 255, 256, 257, 511, 512, 513, 1024, 1499, 1500]) {
    assert.deepEqual(await again.root(size), rootOf(leaves(0, size)), `size ${size}`);
  }
  await again.close();
});

test("a root two levels of tiles high is that of the tree over the entries", async () => {
  const size = 256 * 256 + 300;
  const entries = Array.from({ length: size }, (_, i) => new Uint8Array([i >> 16, i >> 8, i]));
  const store = await LogStore.open({ dir: "/log", origin, files: new SimulatedDisk() });
  await store.append(entries);
  const hashes = entries.map(hashLeaf);
  assert.deepEqual(await store.root(), rootOf(hashes));
  const top = await store.tile("tile/2/000.p/1", size);
  assert.deepEqual(top && [...top], [...rootOf(hashes.slice(0, 65_536))]);
  verifyInclusion(65_535, size, hashes[65_535]!, await store.inclusionProof(65_535, size), rootOf(hashes));
});

test("entries of any length come back as they were, the longest and the empty one too", async (t) => {
  const dir = await temporaryFolder(t);
  const entries = [new Uint8Array(0), new Uint8Array(65_535).fill(7), new Uint8Array([0]), new Uint8Array(256)];
  const store = await LogStore.open({ dir, origin });
  await store.append(entries);
  await store.close();
  const again = await LogStore.open({ dir, origin });
  for (const [i, entry] of entries.entries()) assert.deepEqual(await again.entry(i), entry);
  await assert.rejects(again.append([new Uint8Array(65_536)]), code("entry-too-large"));
  assert.equal(again.size, 4);
  await again.append([new Uint8Array([1])]);
  assert.equal(again.size, 5);
  await again.close();
});

test("a bundle of the longest entries, larger than one commit may be, is appended whole", async (t) => {
  const dir = await temporaryFolder(t);
  const store = await LogStore.open({ dir, origin });
  const entries = Array.from({ length: 600 }, (_, i) => new Uint8Array(65_535).fill(i));
  await store.append(entries);
  await store.close();
  const again = await LogStore.open({ dir, origin });
  assert.equal(again.size, 600);
  assert.deepEqual(await again.entry(599), entries[599]);
  await again.close();
});

test("entries(from, to) gives exactly that range, across bundles", async () => {
  const store = await memoryLog([SIZE]);
  await fc.assert(
    fc.asyncProperty(fc.nat(SIZE), fc.nat(SIZE), async (a, b) => {
      const [from, to] = a < b ? [a, b] : [b, a];
      const read = [];
      for await (const entry of store.entries(from, to)) read.push(entry);
      assert.deepEqual(read, sampleEntries(from, to));
    }),
    { numRuns: 30 },
  );
});

test("every proof a store gives verifies against the roots of the plain tree", async () => {
  const store = await memoryLog([100, 400, 900, 100]);
  const all = leaves(0, SIZE);
  await fc.assert(
    fc.asyncProperty(fc.nat(SIZE - 1), fc.nat(SIZE - 1), fc.nat(SIZE - 1), async (x, y, z) => {
      const [lo, hi, last] = [x, y, z].sort((a, b) => a - b) as [number, number, number];
      const size = last + 1;
      const root = rootOf(all.slice(0, size));
      verifyInclusion(lo, size, all[lo]!, await store.inclusionProof(lo, size), root);
      const older = rootOf(all.slice(0, hi + 1));
      verifyConsistency(hi + 1, size, older, root, await store.consistencyProof(hi + 1, size));
      verifyRange(lo, hi, size, all.slice(lo, hi), await store.rangeProof(lo, hi, size), root);
      const start = Math.floor(lo / 256) * 256;
      const end = Math.min(start + 256, size);
      const subtree = rootOf(all.slice(start, end));
      verifySubtreeConsistency(start, end, size, subtree, root, await store.subtreeConsistencyProof(start, end, size));
    }),
    { numRuns: 60 },
  );
});

test("tiles are those of tlog-tiles: full ones, partial ones with this tree's width, nothing else", async () => {
  const store = await memoryLog([SIZE]);
  const full = await store.tile("tile/0/001", SIZE);
  assert.deepEqual(full, concatBytes(...leaves(256, 512)));
  const partial = await store.tile(`tile/0/005.p/${SIZE % 256}`, SIZE);
  assert.equal(partial?.length, (SIZE % 256) * 32);
  const upper = await store.tile("tile/1/000.p/5", SIZE);
  assert.deepEqual(upper?.subarray(32, 64), new Uint8Array(rootOf(leaves(256, 512))));
  const bundle = await store.tile("tile/entries/002", SIZE);
  assert.deepEqual(decodeEntryBundle(bundle!), sampleEntries(512, 768));
  const tail = await store.tile("tile/entries/005.p/220", SIZE);
  assert.deepEqual(decodeEntryBundle(tail!), sampleEntries(1280, 1500));
  for (const path of ["tile/0/005", "tile/0/006", "tile/1/000", "tile/2/000.p/1", "tile/0/5", "checkpoint", ""]) {
    assert.equal(await store.tile(path, SIZE), undefined, path);
  }
  assert.equal(await store.tile("tile/0/005.p/221", SIZE), undefined);
});

test("the journal between two bundle boundaries is a C2SP entry bundle as it lies", async (t) => {
  const dir = await temporaryFolder(t);
  const store = await LogStore.open({ dir, origin });
  await store.append(sampleEntries(0, 600));
  await store.close();
  const journal = new Uint8Array(await readFile(join(dir, "entries")));
  const length = sampleEntries(0, 256).reduce((sum, entry) => sum + 2 + entry.length, 0);
  assert.deepEqual(decodeEntryBundle(journal.subarray(0, length)), sampleEntries(0, 256));
});

test("a log cut back to any size is the log that never grew further", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 6 }),
      fc.nat(),
      async (commits, n) => {
        const disk = new SimulatedDisk();
        const store = await memoryLog(commits, disk);
        const size = n % (store.size + 1);
        await store.truncate(size);
        assert.equal(store.size, size);
        assert.deepEqual(await store.root(), rootOf(leaves(0, size)));
        await store.append(sampleEntries(size, size + 300));
        await store.close();
        const again = await LogStore.open({ dir: "/log", origin, files: disk });
        assert.equal(again.damage, undefined);
        assert.equal(again.size, size + 300);
        assert.deepEqual(await again.root(), rootOf(leaves(0, size + 300)));
      },
    ),
    { numRuns: 25 },
  );
});

test("what was sealed is not cut", async () => {
  const store = await memoryLog([400]);
  await store.seal(300, await store.root(300));
  await assert.rejects(store.truncate(299), code("out-of-range"));
  await store.truncate(300);
  assert.equal(store.size, 300);
});

test("a size is not sealed with a root that is not its own", async () => {
  const store = await memoryLog([400]);
  await assert.rejects(store.seal(300, await store.root(299)), code("signing-refused"));
  await assert.rejects(store.seal(401, await store.root()), code("out-of-range"));
});

test("hashes and tiles that were deleted or altered are computed again from the entries", async (t) => {
  const dir = await temporaryFolder(t);
  const store = await LogStore.open({ dir, origin });
  await store.append(sampleEntries(0, SIZE));
  const sealed = { size: SIZE, root: await store.root() };
  await store.seal(sealed.size, sealed.root);
  await store.close();
  for (const spoil of [
    () => rm(join(dir, "hashes")),
    () => rm(join(dir, "tiles")),
    () => writeFile(join(dir, "tiles"), new Uint8Array(200)),
    () => writeFile(join(dir, "hashes"), new Uint8Array(SIZE * 32)),
  ]) {
    await spoil();
    const again = await LogStore.open({ dir, origin, sealed });
    assert.equal(again.damage, undefined);
    assert.deepEqual(await again.root(), sealed.root);
    assert.deepEqual(await again.root(700), rootOf(leaves(0, 700)));
    assert.deepEqual(await again.entry(3), sampleEntry(3));
    await again.close();
  }
});

test("an entry that was altered behind the log's back is not handed out", async (t) => {
  const dir = await temporaryFolder(t);
  const store = await LogStore.open({ dir, origin });
  await store.append(sampleEntries(0, 600));
  const journal = await readFile(join(dir, "entries"));
  journal[10]! ^= 1;
  await writeFile(join(dir, "entries"), journal);
  await assert.rejects(store.entry(0), code("damaged"));
  assert.deepEqual(await store.entry(1), sampleEntry(1));
  await store.close();
});

test("a reader sees what is committed and changes nothing", async (t) => {
  const dir = await temporaryFolder(t);
  const store = await LogStore.open({ dir, origin });
  await store.append(sampleEntries(0, 300));
  await writeFile(join(dir, "entries"), Buffer.concat([await readFile(join(dir, "entries")), Buffer.from("torn")]));
  const reader = await LogStore.open({ dir, origin, mode: "read" });
  assert.equal(reader.size, 300);
  assert.deepEqual(await reader.entry(299), sampleEntry(299));
  await assert.rejects(reader.append(sampleEntries(300, 301)), code("read-only"));
  await reader.close();
  assert.match((await readFile(join(dir, "entries"))).toString("latin1"), /torn$/);
  await store.close();
});

test("a folder of another origin or another format is refused", async (t) => {
  const dir = await temporaryFolder(t);
  await (await LogStore.open({ dir, origin })).close();
  await assert.rejects(LogStore.open({ dir, origin: "tally.test/other" }), code("wrong-origin"));
  await writeFile(join(dir, "log.json"), '{"format":"tally-log/v9","origin":"tally.test/log"}\n');
  await assert.rejects(LogStore.open({ dir, origin }), code("format-unknown"));
  await rm(join(dir, "log.json"));
  await assert.rejects(LogStore.open({ dir, origin }), code("format-unknown"));
});

test("the hashes of a stored leaf and of its entry agree", async () => {
  const store = await memoryLog([257]);
  for (const i of [0, 255, 256]) assert.ok(equalBytes(await store.leafHash(i), hashLeaf(await store.entry(i))));
});
