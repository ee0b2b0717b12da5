import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { watch } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openDevice } from "@tally/edge";
import { Loop } from "../testing/loop.ts";

const tallyProgram = fileURLToPath(new URL("../../bin/tally.js", import.meta.url));
const names = ["records.jsonl", "rows.csv", "segments.json"] as const;
const segments = 8;

/** What comes between the program and the plane, and is told of each request. */
async function watched(t: TestContext, plane: string, onRequest: () => void): Promise<string> {
  const server = createServer((from, to) => {
    onRequest();
    const { method, url, headers } = from;
    const asked = request(new URL(url ?? "/", plane), { method, headers }, (answer) => {
      to.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(to);
    });
    asked.on("error", () => to.destroy());
    from.pipe(asked);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("a query that is killed again and again, at any request and while it writes, ends with the bytes of one that was not", async (t) => {
  const loop = await Loop.start(t);
  const model = await loop.publish();
  await loop.enrol();
  const device = await openDevice({ dir: join(loop.folder, "device") });
  const session = await (await device.load("tiny:stable")).onnx();
  for (let i = 0; i < segments; i += 1) {
    for (const data of [
      [i, 2, 3, 4],
      [4, 3, 2, i],
    ]) {
      await session.run({ features: { type: "float32", dims: [1, 4], data } });
    }
    await device.sync();
    await device.packSegments();
  }
  await device.sync();
  await device.close();

  let requests = 0;
  let onRequest = () => {};
  const url = await watched(t, loop.plane.url, () => {
    requests += 1;
    onRequest();
  });
  const query = ["data", "query", "--model", model, "--sample", "75%", "--seed", "7", "-o"];
  /** Runs until it ends, or is killed at the request of that number or with the first piece of a file of the set. */
  const run = async (dir: string, killAt: number | "writing"): Promise<number | null> => {
    const out = join(loop.folder, dir);
    await mkdir(out, { recursive: true });
    const child = spawn(process.execPath, [tallyProgram, ...query, out], {
      env: { ...process.env, ...loop.env, TALLY_URL: url },
      stdio: "ignore",
    });
    const kill = () => child.kill("SIGKILL");
    let count = 0;
    onRequest = () => {
      count += 1;
      if (count === killAt) kill();
    };
    const watcher = watch(out, (_, name) => {
      if (killAt === "writing" && name?.endsWith(".part")) kill();
    });
    const [code] = (await once(child, "exit")) as [number | null];
    watcher.close();
    return code;
  };

  assert.equal(await run("whole", Number.POSITIVE_INFINITY), 0);
  const all = requests;
  assert.ok(all > 2 * segments);
  let killed = 0;
  for (let round = 0; round < 4; round += 1) if ((await run("killed", randomInt(2, all))) === null) killed += 1;
  if ((await run("killed", "writing")) === null) killed += 1;
  assert.ok(killed >= 2, `${killed} of them were killed`);
  assert.equal(await run("killed", Number.POSITIVE_INFINITY), 0);
  for (const name of names) {
    const [whole, again] = await Promise.all(
      ["whole", "killed"].map((dir) => readFile(join(loop.folder, dir, name), "utf8")),
    );
    assert.equal(again, whole, name);
  }
  const rows = (await readFile(join(loop.folder, "killed", "records.jsonl"), "utf8")).trim().split("\n");
  assert.equal(rows.length, (2 * segments * 3) / 4);
});
