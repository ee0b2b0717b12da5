import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdir, stat } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { contentDigestOf } from "../storage/content-digest.ts";
import { temporaryFolder } from "../testing/loopback-registry.ts";

const program = fileURLToPath(new URL("../testing/registry-process.ts", import.meta.url));
const blob = new Uint8Array(randomBytes(100_000));
const digest = contentDigestOf(blob);

async function startRegistry(t: TestContext, dir: string) {
  const child = spawn(process.execPath, [program, dir], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const [url] = (await once(createInterface(child.stdout), "line")) as [string];
  const kill = async () => {
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  };
  return { url, kill };
}

/** Sends the beginning of a body and keeps the request open. */
function sendHalf(url: string, method: string): void {
  const req = request(url, { method, headers: { "Content-Length": blob.length } });
  req.on("error", () => undefined);
  req.write(blob.subarray(0, 60_000));
}

async function sizes(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch(() => []);
  return Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
}

test("a registry killed while blobs arrive shows none of them, cleans up and lets uploads go on", async (t) => {
  const dir = await temporaryFolder(t);
  const first = await startRegistry(t, dir);
  const kept = new TextEncoder().encode("acknowledged");
  const acknowledged = await fetch(`${first.url}/v2/m/blobs/uploads/?digest=${contentDigestOf(kept)}`, {
    method: "POST",
    body: kept,
  });
  assert.equal(acknowledged.status, 201);
  const begun = await fetch(`${first.url}/v2/m/blobs/uploads/`, { method: "POST" });
  const upload = begun.headers.get("location")!;
  sendHalf(`${first.url}${upload}`, "PATCH");
  sendHalf(`${first.url}/v2/m/blobs/uploads/?digest=${digest}`, "POST");
  const half = async (folder: string) => (await sizes(join(dir, "blobs", folder))).includes(60_000);
  while (!((await half("staged")) && (await half("temporary"))));
  await first.kill();

  const second = await startRegistry(t, dir);
  assert.equal((await fetch(`${second.url}/v2/m/blobs/${contentDigestOf(kept)}`)).status, 200);
  assert.equal((await fetch(`${second.url}/v2/m/blobs/${digest}`)).status, 404);
  const progress = await fetch(`${second.url}${upload}`);
  assert.equal(progress.headers.get("range"), "0-59999");
  assert.deepEqual(await sizes(join(dir, "blobs", "temporary")), []);
  const rest = { method: "PUT", body: blob.subarray(60_000), headers: { "Content-Range": "60000-99999" } };
  assert.equal((await fetch(`${second.url}${upload}?digest=${digest}`, rest)).status, 201);
  const whole = await fetch(`${second.url}/v2/m/blobs/${digest}`);
  assert.deepEqual(new Uint8Array(await whole.arrayBuffer()), blob);
  await second.kill();
});
