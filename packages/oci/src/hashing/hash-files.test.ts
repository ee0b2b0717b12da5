import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { appendFileSync, mkdirSync, renameSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type FileEntry, listFiles, memoryFile } from "../tar/entry.ts";
import { temporaryFolder } from "../testing/loopback-registry.ts";
import { hashFiles, hashParts } from "./hash-files.ts";

const mebibyte = 1024 * 1024;

/** Files large enough for threads, small ones, and an empty one. */
async function model(t: TestContext): Promise<{ dir: string; files: readonly FileEntry[]; contents: Buffer[] }> {
  const dir = join(await temporaryFolder(t), "model");
  mkdirSync(dir);
  const sizes = [9 * mebibyte + 17, 12 * mebibyte, 0, 1000];
  const contents = sizes.map((size, i) => Buffer.alloc(size, `${i} bytes of a model`));
  for (const [i, content] of contents.entries()) writeFileSync(join(dir, `part-${i}`), content);
  return { dir, files: await listFiles(dir), contents };
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

test("threads give the digests that one hash gives, in the order of the files, and tell every byte", async (t) => {
  const { files, contents } = await model(t);
  const told = { expected: 0, done: 0 };
  const digests = await hashFiles([...files, memoryFile("memory", contents[3]!)], {
    expect(bytes) {
      told.expected += bytes;
    },
    advance(bytes) {
      told.done += bytes;
    },
  });
  assert.deepEqual(digests, [...contents, contents[3]!].map(sha256));
  const total = contents.reduce((sum, { length }) => sum + length, 1000);
  assert.deepEqual(told, { expected: total, done: total });
});

test("shards of files on disk and in memory are the digests of their bytes", async (t) => {
  const { files, contents } = await model(t);
  const memory = memoryFile("memory", contents[0]!);
  const parts = [files[0]!, files[1]!, memory].flatMap((file) =>
    Array.from({ length: Math.ceil(file.size / (4 * mebibyte)) }, (_, i) => {
      return { file, start: i * 4 * mebibyte, end: Math.min(file.size, (i + 1) * 4 * mebibyte) };
    }),
  );
  const bytes = new Map([
    [files[0], contents[0]!],
    [files[1], contents[1]!],
    [memory, contents[0]!],
  ]);
  assert.deepEqual(
    await hashParts(parts),
    parts.map(({ file, start, end }) => sha256(bytes.get(file)!.subarray(start, end))),
  );
});

test("a file that grows, shrinks or goes while it is listed is not hashed as if nothing had happened", async (t) => {
  for (const [change, code] of [
    [(path: string) => appendFileSync(path, "more"), "size-mismatch"],
    [(path: string) => truncateSync(path, 5 * mebibyte), "size-mismatch"],
    [(path: string) => renameSync(path, `${path}.gone`), "not-found"],
  ] as const) {
    const { dir, files } = await model(t);
    change(join(dir, "part-1"));
    await assert.rejects(hashFiles(files), { code, message: /part-1/ });
  }
});

test("a file swapped for a link between listing and hashing is not followed", async (t) => {
  if (process.platform === "win32") return t.skip("links need a privilege there");
  const { dir, files } = await model(t);
  renameSync(join(dir, "part-1"), join(dir, "elsewhere"));
  symlinkSync(join(dir, "elsewhere"), join(dir, "part-1"));
  await assert.rejects(hashFiles(files), { code: "not-found", message: /part-1.*ELOOP/ });
  await assert.rejects(hashFiles([files[1]!]), { code: "not-found", message: /part-1.*ELOOP/ });
});
