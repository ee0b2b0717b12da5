import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { faultyFiles } from "../testing/faulty-files.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { type Files, nodeFiles, type OpenFile, pooledFiles } from "./index.ts";

/** The real file system, counting what is open. */
function counting(): Files & { open_: number; most: number } {
  const counted = {
    ...nodeFiles,
    open_: 0,
    most: 0,
    async open(path: string, mode: "read" | "write"): Promise<OpenFile> {
      const file = await nodeFiles.open(path, mode);
      counted.open_ += 1;
      counted.most = Math.max(counted.most, counted.open_);
      return {
        read: (into, position) => file.read(into, position),
        write: (bytes, position) => file.write(bytes, position),
        truncate: (length) => file.truncate(length),
        sync: () => file.sync(),
        size: () => file.size(),
        close: async () => {
          counted.open_ -= 1;
          await file.close();
        },
      };
    },
  };
  return counted;
}

async function openAll(t: TestContext, files: Files, count: number): Promise<{ all: OpenFile[]; folder: string }> {
  const folder = await temporaryFolder(t);
  const all: OpenFile[] = [];
  for (let i = 0; i < count; i += 1) all.push(await files.open(join(folder, `${i}`), "write"));
  return { all, folder };
}

test("files beyond the limit are closed, and read and written as if they were open", async (t) => {
  const files = counting();
  const { all } = await openAll(t, pooledFiles(files, 4), 20);
  const step = fc.record({
    which: fc.nat({ max: 19 }),
    at: fc.nat({ max: 30 }),
    what: fc.constantFrom("write", "sync", "cut", "read"),
  });
  const model = all.map(() => new Uint8Array(0));
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (list) => {
      for (const { which, at, what } of list) {
        const file = all[which]!;
        if (what === "write") {
          await file.write(Uint8Array.of(at, which), at);
          const grown = new Uint8Array(Math.max(model[which]!.length, at + 2));
          grown.set(model[which]!);
          grown.set([at, which], at);
          model[which] = grown;
        } else if (what === "cut") {
          const length = Math.min(at, model[which]!.length);
          await file.truncate(length);
          model[which] = model[which]!.slice(0, length);
        } else if (what === "sync") await file.sync();
        const read = new Uint8Array(100);
        const length = await file.read(read, 0);
        assert.deepEqual(read.subarray(0, length), model[which]);
        assert.equal(await file.size(), model[which]!.length);
      }
    }),
    { numRuns: 20 },
  );
  assert.ok(files.most <= 6, `${files.most} were open`);
  await Promise.all(all.map((file) => file.close()));
  assert.equal(files.open_, 0);
});

test("files used at the same time are all served, and closed again once they rest", async (t) => {
  const files = counting();
  const { all } = await openAll(t, pooledFiles(files, 2), 10);
  for (let round = 0; round < 5; round += 1) {
    await Promise.all(all.map((file, i) => file.write(Uint8Array.of(i, round), 2 * round)));
    await Promise.all(all.map((file) => file.sync()));
  }
  for (const [i, file] of all.entries()) {
    const bytes = new Uint8Array(10);
    assert.equal(await file.read(bytes, 0), 10);
    assert.deepEqual([...bytes], [i, 0, i, 1, i, 2, i, 3, i, 4]);
  }
  await Promise.all(all.map((file) => file.close()));
  assert.equal(files.open_, 0);
});

test("a failure to sync what was written before a file was closed is told to whoever uses it next", async (t) => {
  let failing = false;
  const faulty = faultyFiles((operation, file) =>
    failing && operation === "sync" && file === "0" ? "EIO" : undefined,
  );
  const { all } = await openAll(t, pooledFiles(faulty, 1), 2);
  await all[0]!.write(Uint8Array.of(1), 0);
  failing = true;
  await all[1]!.write(Uint8Array.of(1), 0);
  await all[1]!.sync();
  await assert.rejects(all[0]!.size(), { code: "EIO" });
  failing = false;
  assert.equal(await all[0]!.size(), 1);
  await Promise.all(all.map((file) => file.close()));
});

test("a file that cannot be opened again says so, and works once it can", async (t) => {
  let failing = false;
  const faulty = faultyFiles((operation) => (failing && operation === "open" ? "EIO" : undefined));
  const { all } = await openAll(t, pooledFiles(faulty, 1), 2);
  await all[1]!.size();
  failing = true;
  await assert.rejects(all[0]!.size(), { code: "EIO" });
  failing = false;
  assert.equal(await all[0]!.size(), 0);
  await Promise.all(all.map((file) => file.close()));
});
