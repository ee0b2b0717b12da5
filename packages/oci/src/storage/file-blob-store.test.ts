import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { type ContentDigest, contentDigestOf, hexOf } from "./content-digest.ts";
import { storing } from "./durable-file.ts";
import { FileBlobStore } from "./file-blob-store.ts";

const hello = new TextEncoder().encode("hello, tally");
const digest = contentDigestOf(hello);

async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "tally-blobs-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

async function* chunks(...parts: (Uint8Array | Error)[]): AsyncIterable<Uint8Array> {
  for (const part of parts) {
    if (part instanceof Error) throw part;
    yield part;
  }
}

async function listed(store: FileBlobStore): Promise<ContentDigest[]> {
  return Array.fromAsync(store.list());
}

test("a blob put is there, whole and in ranges, also for a store opened later", async (t) => {
  const dir = await folder(t);
  const stored = await new FileBlobStore(dir).put(null, chunks(hello.subarray(0, 5), hello.subarray(5)));
  assert.deepEqual(stored, { digest, size: hello.length });

  const store = new FileBlobStore(dir);
  assert.equal((await store.has(digest))?.size, hello.length);
  assert.deepEqual(await store.bytes(digest, 100), hello);
  const part = await store.get(digest, { start: 7, end: 12 });
  assert.equal(part.size, hello.length);
  assert.equal((await buffer(part.stream)).toString(), "tally");
  assert.equal((await buffer((await store.get(digest, { start: 3, end: 3 })).stream)).length, 0);
  assert.deepEqual(await listed(store), [digest]);
});

test("sha512 blobs are stored beside sha256 ones", async (t) => {
  const store = new FileBlobStore(await folder(t));
  const long = contentDigestOf(hello, "sha512");
  await store.put(long, hello);
  assert.deepEqual(await store.bytes(long, 100), hello);
  assert.equal(await store.has(digest), undefined);
});

test("bytes that are not the announced ones leave nothing behind", async (t) => {
  const dir = await folder(t);
  const store = new FileBlobStore(dir);
  await assert.rejects(store.put(digest, chunks(hello, hello)), { code: "digest-mismatch" });
  await assert.rejects(store.put(digest, chunks(hello, new Error("connection lost"))), /connection lost/);
  assert.equal(await store.has(digest), undefined);
  assert.deepEqual(await readdir(join(dir, "temporary")), []);
});

test("what a killed process left half-written is removed at the next start", async (t) => {
  const dir = await folder(t);
  await new FileBlobStore(dir).put(null, hello);
  await writeFile(join(dir, "temporary", "half"), "hel");
  await new FileBlobStore(dir).put(null, hello);
  assert.deepEqual(await readdir(join(dir, "temporary")), []);
});

test("a blob damaged on disk is noticed when read whole, and repaired by storing it again", async (t) => {
  const dir = await folder(t);
  const store = new FileBlobStore(dir);
  await store.put(digest, hello);
  await writeFile(join(dir, "sha256", hexOf(digest).slice(0, 2), hexOf(digest)), "hello, tampe");
  await assert.rejects(store.bytes(digest, 100), { code: "digest-mismatch" });
  await store.put(digest, hello);
  assert.deepEqual(await store.bytes(digest, 100), hello);
});

test("absent blobs, ranges outside and oversize reads are refused", async (t) => {
  const store = new FileBlobStore(await folder(t));
  await assert.rejects(store.get(digest), { code: "not-found" });
  assert.equal(await store.delete(digest), false);
  await store.put(digest, hello);
  await assert.rejects(store.get(digest, { start: 0, end: 13 }), { code: "range-invalid" });
  await assert.rejects(store.get(digest, { start: 5, end: 4 }), { code: "range-invalid" });
  await assert.rejects(store.bytes(digest, 11), { code: "too-large" });
  assert.equal(await store.delete(digest), true);
  assert.equal(await store.has(digest), undefined);
});

test("a hundred writers of one blob agree", async (t) => {
  const store = new FileBlobStore(await folder(t));
  await Promise.all(Array.from({ length: 100 }, () => store.put(digest, hello)));
  assert.deepEqual(await listed(store), [digest]);
});

test("an upload goes on after a restart and is no blob before it is committed", async (t) => {
  const dir = await folder(t);
  const before = await new FileBlobStore(dir).stage("one");
  assert.equal(await before.append(0, hello.subarray(0, 4)), 4);

  const store = new FileBlobStore(dir);
  assert.deepEqual(await Array.fromAsync(store.staged()), ["one"]);
  const upload = await store.stage("one");
  assert.equal(upload.size, 4);
  await assert.rejects(upload.append(5, hello), { code: "range-invalid", message: /gap/ });
  await assert.rejects(upload.append(3, hello), { code: "range-invalid", message: /overlap/ });
  await upload.append(4, hello.subarray(4));
  assert.deepEqual(await listed(store), []);
  assert.deepEqual(await upload.commit(digest), { digest, size: hello.length });
  assert.deepEqual(await store.bytes(digest, 100), hello);
  assert.deepEqual(await Array.fromAsync(store.staged()), []);
});

test("an upload whose source broke is kept as far as it came, and can be cut", async (t) => {
  const dir = await folder(t);
  const store = new FileBlobStore(dir);
  const upload = await store.stage("two");
  await assert.rejects(upload.append(0, chunks(hello.subarray(0, 6), new Error("reset"))), /reset/);
  assert.equal(upload.size, 6);
  await upload.truncate(2);
  await upload.append(2, hello.subarray(2));
  await assert.rejects(upload.commit(contentDigestOf(new Uint8Array(1))), { code: "digest-mismatch" });
  await upload.commit(digest);
  assert.deepEqual(await readFile(join(dir, "sha256", hexOf(digest).slice(0, 2), hexOf(digest))), Buffer.from(hello));
});

test("two requests cannot write one upload at once", async (t) => {
  const upload = await new FileBlobStore(await folder(t)).stage("three");
  const first = upload.append(0, hello);
  await assert.rejects(upload.append(0, hello), { code: "busy" });
  await first;
  await upload.discard();
});

test("no space and no quota left are a full disk, whatever else the file system says is not", async () => {
  const { ENOSPC, EDQUOT, EIO } = constants.errno;
  // As Node gives them.
  for (const [code, errno, expected] of [
    ["ENOSPC", -ENOSPC, "storage-full"],
    [`Unknown system error -${EDQUOT}`, -EDQUOT, "storage-full"],
    ["EIO", -EIO, "storage-failed"],
  ] as const) {
    const failing = () => Promise.reject(Object.assign(new Error(code), { code, errno }));
    await assert.rejects(storing("writing a blob", failing), { code: expected });
  }
});

test("what was remembered of a small blob goes with it, also while it is being read", async (t) => {
  const dir = await folder(t);
  const store = new FileBlobStore(dir, { remembered: 1024 });
  await store.put(digest, hello);
  const file = join(dir, "sha256", hexOf(digest).slice(0, 2), hexOf(digest));
  await store.bytes(digest, 100);
  await rm(file);
  assert.deepEqual(await store.bytes(digest, 100), hello, "it is remembered");
  await assert.rejects(store.bytes(digest, 1), { code: "not-found" });
  await store.delete(digest);
  await assert.rejects(store.bytes(digest, 100), { code: "not-found" });

  await store.put(digest, hello);
  const reading = store.bytes(digest, 100).catch(() => undefined);
  await store.delete(digest);
  await reading;
  await assert.rejects(store.bytes(digest, 100), { code: "not-found" });
});

test("small blobs are remembered in as many bytes as may be, the ones asked for last", async (t) => {
  const dir = await folder(t);
  const store = new FileBlobStore(dir, { remembered: 25 });
  const blobs = [1, 2, 3].map((n) => new Uint8Array(10).fill(n));
  const digests = await Promise.all(blobs.map(async (blob) => (await store.put(null, blob)).digest));
  for (const n of [0, 1, 0, 2]) await store.bytes(digests[n]!, 100);
  await rm(join(dir, "sha256"), { recursive: true });
  assert.deepEqual(await store.bytes(digests[0]!, 100), blobs[0]);
  assert.deepEqual(await store.bytes(digests[2]!, 100), blobs[2]);
  await assert.rejects(store.bytes(digests[1]!, 100), { code: "not-found" });
});
