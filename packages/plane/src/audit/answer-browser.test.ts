import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { stripTypeScriptTypes } from "node:module";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Question, toBase64 } from "@tally/evidence";
import { type Browser, chromium } from "playwright-core";
import { answer } from "./answer.ts";
import { AnswerWorld } from "./answer-world.ts";

const root = fileURLToPath(new URL("../../../..", import.meta.url));
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const skip = executablePath === undefined ? "Chromium is not installed" : false;

// The page imports evidence's sources as they are, types stripped on the way, with its browser cryptography.
const importMap = {
  imports: {
    "#crypto": "/packages/evidence/src/crypto/browser.ts",
    "@tally/evidence": "/packages/evidence/src/index.ts",
    "@noble/curves/": "/node_modules/@noble/curves/",
    "@noble/hashes/": "/node_modules/@noble/hashes/",
    "@noble/post-quantum/": "/node_modules/@noble/post-quantum/",
    canonicalize: "/node_modules/canonicalize/lib/canonicalize.js",
    cborg: "/node_modules/cborg/cborg.js",
  },
};
const page = `<!doctype html><script type="importmap">${JSON.stringify(importMap)}</script>
<script type="module">
import { blobSource, fromBase64, parseTrust, verifyBundle } from "@tally/evidence";
globalThis.verify = async (bundle, trust) => {
  const { outcome, checks, answer, damage } = await verifyBundle({ bundle: blobSource(new Blob([fromBase64(bundle)])), trust: parseTrust(fromBase64(trust)) });
  return { outcome, damage, checks: checks.map(({ name, result }) => [name, result]), records: answer?.records.length ?? 0 };
};
</script>`;

function serveSources(): Promise<Server> {
  const server = createServer(async (request, response) => {
    const path = (request.url ?? "/").split("?")[0]!;
    try {
      const source = path === "/" ? page : await readFile(join(root, path), "utf8");
      const text = path.endsWith(".ts") ? stripTypeScriptTypes(source) : source;
      response.setHeader("content-type", path === "/" ? "text/html" : "text/javascript").end(text);
    } catch {
      response.writeHead(404).end();
    }
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

describe("in a real browser, with the same code", { skip }, () => {
  let world: AnswerWorld;
  let browser: Browser;
  let server: Server;
  let bundle: Uint8Array;
  const verify = async (bytes: Uint8Array) => {
    const tab = await browser.newPage();
    const errors: Error[] = [];
    tab.on("pageerror", (error) => errors.push(error));
    await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await tab.waitForFunction("globalThis.verify !== undefined", undefined, { timeout: 30_000 }).catch((error) => {
      throw errors[0] ?? error;
    });
    const call = `globalThis.verify(${JSON.stringify(toBase64(bytes))}, ${JSON.stringify(toBase64(world.trustFile))})`;
    const report = (await tab.evaluate(call)) as {
      outcome: string;
      records: number;
      damage: { offset: number } | null;
      checks: [string, string][];
    };
    await tab.close();
    return report;
  };

  before(async () => {
    world = await AnswerWorld.create();
    const model = await world.publish("first");
    await world.seal();
    const device = await world.enrol();
    await world.load(device, model);
    for (let i = 0; i < 5; i += 1) await world.infer(device);
    await world.sync(device);
    const question: Question = { kind: "records", model: null, from: 1, to: Date.UTC(2030, 0), devices: null };
    bundle = await answer(world, question);
    server = await serveSources();
    browser = await chromium.launch({ executablePath: executablePath!, args: ["--no-sandbox"] });
  });
  after(async () => {
    await browser?.close();
    server?.close();
    await world?.destroy();
  });

  test("an answer verifies", async () => {
    const report = await verify(bundle);
    assert.deepEqual(
      report.checks.filter(([, result]) => result === "bad"),
      [],
    );
    assert.equal(report.outcome, "good");
    assert.equal(report.records, 5);
  });

  test("a flipped byte is found, with its place", async () => {
    const changed = bundle.slice();
    changed[1000]! ^= 1;
    const report = await verify(changed);
    assert.equal(report.outcome, "bad");
    assert.ok(report.damage !== null && report.damage.offset <= 1000);
  });
});
