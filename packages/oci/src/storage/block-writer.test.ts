import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../testing/loopback-registry.ts";
import { BlockWriter } from "./block-writer.ts";

test("chunks of any size arrive in order, though their buffer is used over again", async (t) => {
  const path = join(await temporaryFolder(t), "file");
  await using file = await open(path, "w+");
  const writer = new BlockWriter(file, 3, "writing");
  await file.write("abc");
  const expected: Buffer[] = [Buffer.from("abc")];
  const lent = Buffer.alloc(3 * 1024 * 1024);
  for (const size of [1, 65_536, 0, 1024 * 1024, 17, 3 * 1024 * 1024, 65_535, 500_000, 65_536]) {
    const bytes = randomBytes(size);
    expected.push(bytes);
    bytes.copy(lent);
    await writer.write(lent.subarray(0, size));
    lent.fill(0);
  }
  await writer.flush();
  assert.deepEqual(await readFile(path), Buffer.concat(expected));
});

test("a failed write is told to whoever writes on or ends", async (t) => {
  const path = join(await temporaryFolder(t), "file");
  await writeFile(path, "");
  await using readOnly = await open(path, "r");
  const writer = new BlockWriter(readOnly, 0, "writing a model");
  await writer.write(Buffer.from("x"));
  await assert.rejects(writer.flush(), { code: "storage-failed", message: /writing a model: EBADF/ });
  await assert.rejects(writer.write(Buffer.from("y")), { code: "storage-failed" });
});
