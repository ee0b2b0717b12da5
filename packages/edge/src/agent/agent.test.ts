import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { stat } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  decodeEntry,
  fromBase64,
  hashLeaf,
  parseCheckpoint,
  parseTlogProof,
  toHex,
  utf8,
  verifyInclusion,
} from "@tally/evidence";
import { EdgeError } from "../error.ts";
import { temporaryFolder } from "../testing/device-folders.ts";
import { enrolDevice } from "../testing/loopback-device.ts";
import { LoopbackPlane } from "../testing/loopback-plane.ts";
import { publishModel } from "../testing/publish-model.ts";
import { parseListenAddress } from "./listen-address.ts";
import { type Agent, type AgentOptions, runAgent } from "./run-agent.ts";
import type { OnRound } from "./sync-loop.ts";

const root = await temporaryFolder(after);
const plane = await LoopbackPlane.open(join(root, "plane"));
await publishModel(plane);
after(() => plane.close());
let count = 0;

const freshDevice = (config = {}) => enrolDevice(plane, join(root, `device-${count++}`), config);

async function started(options: Partial<AgentOptions> = {}): Promise<Agent> {
  const agent = await runAgent({ dir: await freshDevice(), signals: [], ...options });
  after(() => agent.close());
  return agent;
}

// biome-ignore lint/suspicious/noExplicitAny: answers are looked at member by member
type Answer = { status: number; body: any };

async function ask(
  { address }: Agent,
  path: string,
  body?: object,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(address + path, {
    method: body === undefined ? "GET" : "POST",
    headers: { "content-type": "application/json", ...headers },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
}

const inputs = { features: { dtype: "float32", dims: [1, 4], data: [1, 2, 3, 4] } };
const probability = 1 / (1 + Math.exp(-(1 - 2 + 1.5 + 1 + 0.5)));

test("a program loads a model, infers, labels, syncs and gets receipts over HTTP", async () => {
  const agent = await started();
  const loaded = await ask(agent, "/v1/models/load", { ref: "tiny:stable" });
  assert.deepEqual(loaded.body.inputs, [{ name: "features", type: "float32", shape: ["N", 4] }]);
  const { body } = await ask(agent, "/v1/infer", { model: "tiny:stable", inputs });
  assert.ok(Math.abs(body.outputs.probability.data[0] - probability) < 1e-6);
  assert.equal(body.record.origin, agent.device.origin);
  const label = await ask(agent, "/v1/labels", { record: body.record, content: { json: { benign: true } } });
  assert.equal(label.body.label.index, body.record.index + 1);
  const receipt = await ask(agent, `/v1/receipts/${body.record.index}`);
  const proof = parseTlogProof(receipt.body.tlogProof);
  const { checkpoint } = parseCheckpoint(utf8(proof.checkpoint));
  const leaf = hashLeaf(fromBase64(receipt.body.entry));
  assert.equal(toHex(leaf), body.record.leaf);
  verifyInclusion(proof.index, checkpoint.size, leaf, [...proof.hashes], checkpoint.root);
  const synced = await ask(agent, "/v1/sync", {});
  const status = await ask(agent, "/v1/status");
  assert.equal(status.body.mirrored, synced.body.mirrored);
  assert.equal(status.body.models[0].channel, "tiny:stable");
});

test("anything else is recorded by POST /v1/record, under one load for each thing declared", async () => {
  const agent = await started();
  const model = { grade: "asserted", runtime: "provider-api", provider: "elsewhere" };
  const say = (text: string) => ({
    model,
    input: { text },
    output: { json: { answer: text.length } },
    parameters: { temperature: 0.7, seed: 1 },
    usage: { "input-tokens": 3 },
    retrievals: [{ text: "a document" }],
  });
  const first = await ask(agent, "/v1/record", say("one"));
  const second = await ask(agent, "/v1/record", { ...say("two"), parents: [first.body.record] });
  assert.equal(second.status, 200, JSON.stringify(second.body));
  const entry = decodeEntry(await agent.device.core.ledger.entry(second.body.record.index));
  assert.ok(entry.kind === "inference");
  assert.equal(entry.ordinal, 1);
  assert.deepEqual(entry.parameters?.get(1), [-1, 7]);
  assert.equal(entry.parents?.[0]?.index, first.body.record.index);
});

test("what is malformed is refused with a code, a message and a status of 400", async () => {
  const agent = await started();
  await ask(agent, "/v1/models/load", { ref: "tiny:stable" });
  const { next } = agent.device.core.recorder.run;
  const wrong: [string, object][] = [
    ["/v1/infer", {}],
    [
      "/v1/infer",
      { model: "tiny:stable", inputs: { features: { dtype: "float32", dims: [1, 5], data: [1, 2, 3, 4] } } },
    ],
    [
      "/v1/infer",
      { model: "tiny:stable", inputs: { features: { dtype: "float33", dims: [1, 4], data: [1, 2, 3, 4] } } },
    ],
    [
      "/v1/infer",
      { model: "tiny:stable", inputs: { features: { dtype: "float32", dims: [1, 4], data: [1, 2, 3, {}] } } },
    ],
    [
      "/v1/record",
      { model: { grade: "measured", runtime: "x", provider: "y" }, input: { text: "" }, output: { text: "" } },
    ],
    ["/v1/record", { model: "tiny:stable", input: { text: "a", json: 1 }, output: { text: "b" } }],
    ["/v1/record", { model: "tiny:stable", input: { text: "a" }, output: { text: "b" }, parameters: { heat: 1 } }],
    ["/v1/labels", { record: { origin: "x", index: -1, leaf: "00" }, content: { text: "a" } }],
    ["/v1/nothing", {}],
  ];
  for (const [path, body] of wrong) {
    const answer = await ask(agent, path, body);
    assert.equal(answer.status, 400, `${path} ${JSON.stringify(body)}: ${JSON.stringify(answer.body)}`);
    assert.match(answer.body.error.code, /-invalid$/);
  }
  assert.equal(agent.device.core.recorder.run.next, next);
  assert.equal((await ask(agent, "/v1/infer", { model: "other:stable", inputs })).status, 404);
  const text = await fetch(`${agent.address}/v1/infer`, { method: "POST", body: "{}" });
  assert.equal(text.status, 400);
});

test("a page in a browser and a foreign host name are refused", async () => {
  const agent = await started();
  assert.equal((await ask(agent, "/v1/status", undefined, { origin: "https://example.org" })).status, 403);
  assert.equal((await ask(agent, "/v1/status", undefined, { "sec-fetch-site": "same-origin" })).status, 403);
  const rebound = await new Promise<number>((resolve) => {
    const sent = httpRequest(
      `${agent.address}/v1/status`,
      { headers: { host: "device.example.org:80" } },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    );
    sent.end();
  });
  assert.equal(rebound, 403);
});

test("the agent listens on this machine only", async () => {
  for (const address of ["0.0.0.0:80", "192.168.0.1:80", "example.org:80", "127.0.0.1", "127.0.0.1:99999", "unix:"]) {
    assert.throws(
      () => parseListenAddress(address),
      (error) => error instanceof EdgeError && error.code === "listen-refused",
      address,
    );
  }
  assert.deepEqual(parseListenAddress("[::1]:7"), { kind: "tcp", host: "::1", port: 7 });
});

test("a unix socket is its owner's only, and one that a killed agent left is replaced", async () => {
  const path = join(root, "agent.sock");
  const dir = await freshDevice();
  const script = `import { runAgent } from ${JSON.stringify(import.meta.resolve("./run-agent.ts"))};
    await runAgent({ dir: ${JSON.stringify(dir)}, listen: ${JSON.stringify(`unix:${path}`)} }); console.log("up");`;
  const killed = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise((resolve) => killed.stdout.once("data", resolve));
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  killed.kill("SIGKILL");
  await new Promise((resolve) => killed.once("exit", resolve));
  const agent = await started({ dir, listen: `unix:${path}` });
  const status = await new Promise<string>((resolve) => {
    const sent = httpRequest({ socketPath: path, path: "/v1/status" }, (response) => {
      response.toArray().then((chunks) => resolve(Buffer.concat(chunks).toString()));
    });
    sent.end();
  });
  assert.equal(JSON.parse(status).origin, agent.device.origin);
});

test("the agent syncs by itself, and again after the plane was away", async () => {
  const rounds: Parameters<OnRound>[0][] = [];
  let told = () => {};
  const agent = await started({
    config: { syncEveryMs: 100 },
    onRound: (outcome) => {
      rounds.push(outcome);
      told();
    },
  });
  const next = (wanted: (outcome: Parameters<OnRound>[0]) => boolean) =>
    new Promise<void>((resolve) => {
      told = () => wanted(rounds.at(-1)!) && resolve();
    });
  await next((outcome) => "round" in outcome);
  await plane.stop();
  await next(
    (outcome) => "error" in outcome && outcome.error instanceof EdgeError && outcome.error.code === "unreachable",
  );
  await plane.start();
  await next((outcome) => "round" in outcome);
  await agent.close();
});

test("SIGTERM ends the agent in good order", async () => {
  const dir = await freshDevice();
  const script = `import { runAgent } from ${JSON.stringify(import.meta.resolve("./run-agent.ts"))};
    const agent = await runAgent({ dir: ${JSON.stringify(dir)} }); console.log("up"); await agent.closed; console.log("closed");`;
  const running = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const said = running.stdout.setEncoding("utf8")[Symbol.asyncIterator]();
  assert.equal((await said.next()).value, "up\n");
  running.kill("SIGTERM");
  assert.equal((await said.next()).value, "closed\n");
  const agent = await started({ dir });
  const { ledger } = agent.device.core;
  const restart = decodeEntry(await ledger.entry(ledger.size - 1));
  assert.ok(restart.kind === "restart" && restart.clean);
});

test("the Python example runs a model with the standard library alone", async (t) => {
  const run = promisify(execFile);
  const python = await run("python3", ["--version"]).catch(() => undefined);
  if (python === undefined) return t.skip("python3 is not here");
  const agent = await started();
  const example = fileURLToPath(new URL("../../../../examples/python/infer.py", import.meta.url));
  const { stdout } = await run("python3", [example, agent.address, "tiny:stable", "1", "2", "3", "4"]);
  const { outputs, record } = JSON.parse(stdout);
  assert.ok(Math.abs(outputs.probability.data[0] - probability) < 1e-6);
  assert.equal(record.origin, agent.device.origin);
});
