import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { contentDigestOf } from "../storage/content-digest.ts";
import { type LoopbackRegistry, loopbackRegistry, temporaryFolder } from "../testing/loopback-registry.ts";
import { LossyLink } from "../testing/lossy-link.ts";
import { RegistryClient } from "./registry-client.ts";

const mebibyte = 1024 * 1024;
const bytes = randomBytes(12 * mebibyte + 7);
const blob = { digest: contentDigestOf(bytes), size: bytes.length };

async function* content() {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
}

interface Scene {
  readonly registry: LoopbackRegistry;
  readonly link: LossyLink;
  readonly notes: string;
  client(): RegistryClient;
}

async function scene(t: TestContext, options: Parameters<typeof loopbackRegistry>[1] = {}): Promise<Scene> {
  const registry = await loopbackRegistry(t, options);
  const link = await LossyLink.to(t, registry.url);
  const notes = join(await temporaryFolder(t), "uploads.json");
  const client = () =>
    new RegistryClient({ url: link.url, repository: "m", retryPause: 30, timeout: 5000, uploadNotes: notes });
  return { registry, link, notes, client };
}

async function requireThere({ registry }: Scene): Promise<void> {
  assert.equal(contentDigestOf(await registry.blobs.bytes(blob.digest, 2 * blob.size)), blob.digest);
}

test("an upload over a link that is cut again and again goes on where the registry says", async (t) => {
  const s = await scene(t);
  s.link.breakAfter(4 * mebibyte, "cut", "up");
  assert.equal(await s.client().pushBlob(blob, content), "sent");
  await requireThere(s);
  assert.equal(s.registry.requests.filter((request) => request.startsWith("POST")).length, 1, "one session");
  assert.equal(await s.client().pushBlob(blob, content), "present");
});

test("an upload that a dead link ended is gone on with by the next client", async (t) => {
  const s = await scene(t);
  s.link.breakAfter(7 * mebibyte, "dead", "up");
  await assert.rejects(s.client().pushBlob(blob, content), { code: "unreachable" });
  assert.equal(statSync(s.notes).mode & 0o777, 0o600);
  s.link.mend();
  assert.equal(await s.client().pushBlob(blob, content), "sent");
  await requireThere(s);
  assert.ok(s.link.up < blob.size, `${s.link.up} bytes went up the second time`);
  assert.throws(() => readFileSync(s.notes), { code: "ENOENT" }, "nothing is left to go on with");
});

test("a registry that forgot the upload gets the blob anew", async (t) => {
  const s = await scene(t);
  s.link.breakAfter(7 * mebibyte, "dead", "up");
  await assert.rejects(s.client().pushBlob(blob, content), { code: "unreachable" });
  const noted = readFileSync(s.notes, "utf8");
  writeFileSync(s.notes, noted.replace(/[0-9a-f-]{36}"/, '00000000-0000-4000-8000-000000000000"'));
  s.link.mend();
  assert.equal(await s.client().pushBlob(blob, content), "sent");
  await requireThere(s);
});

test("an answer that was lost is not taken for a failure", async (t) => {
  let finished = 0;
  const s = await scene(t, {
    intercept(req, res) {
      if (req.method !== "PUT") return false;
      finished += 1;
      // The registry has stored it; nobody hears of that.
      res.writeHead = () => {
        req.socket.destroy();
        return res;
      };
      return false;
    },
  });
  assert.equal(await s.client().pushBlob(blob, content), "sent");
  assert.equal(finished, 1);
  await requireThere(s);
});

test("a registry that takes no chunks gets the blob in one piece", async (t) => {
  const s = await scene(t, {
    intercept(req, res) {
      if (req.method !== "PATCH") return false;
      req.resume().on("end", () => res.writeHead(405).end());
      return true;
    },
  });
  assert.equal(await s.client().pushBlob(blob, content), "sent");
  await requireThere(s);
});

test("content that is not what its digest says is refused and leaves no upload behind", async (t) => {
  const s = await scene(t);
  const other = { digest: contentDigestOf(Buffer.from("other")), size: bytes.length };
  await assert.rejects(s.client().pushBlob(other, content), { code: "digest-mismatch" });
  assert.equal((await Array.fromAsync(s.registry.blobs.staged())).length, 0);
  await assert.rejects(s.client().pushBlob({ ...blob, size: blob.size + 1 }, content), { code: "size-mismatch" });
  await assert.rejects(s.client().pushBlob({ ...blob, size: blob.size - 1 }, content), { code: "size-mismatch" });
  assert.equal(await s.client().hasBlob(blob.digest), false);
});

test("a blob that another repository of the registry has is mounted, not sent", async (t) => {
  const s = await scene(t);
  await s.client().pushBlob(blob, content);
  s.link.mend();
  const other = new RegistryClient({ url: s.link.url, repository: "other" });
  assert.equal(await other.pushBlob(blob, content, "m"), "present");
  assert.equal(await other.hasBlob(blob.digest), true);
  assert.ok(s.link.up < 10_000, `${s.link.up} bytes went up`);
  assert.equal(await other.pushBlob({ ...blob }, content, "nobody"), "present");
});
