import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseCheckpoint, parseTrust, type Readiness, verifyBundle } from "@tally/evidence";
import { Liar, type WitnessAnswer } from "../testing/lying-witness.ts";
import { call, json } from "../testing/plane-client.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { TestPlane, TestWitness } from "../testing/test-plane.ts";

async function scene(t: TestContext, options: { clock?: { now(): number } } = {}) {
  const folder = await temporaryFolder(t);
  const dir = join(folder, "plane");
  const witness = await TestWitness.start(t, dir);
  const liar = await Liar.start(t, witness);
  const witnessPolicy = witness.policy.replace(/http:\S+/, liar.url);
  const plane = await TestPlane.start(t, { dir, witnessPolicy, init: true, ...options });
  return { plane, witness, liar, folder, witnessPolicy };
}

const sizeOf = async (plane: TestPlane) =>
  parseCheckpoint((await plane.call("GET", "/log/checkpoint")).text).checkpoint.size;
const readiness = async (plane: TestPlane) => json<Readiness>(await call(plane.url, "GET", "/readyz"));

const lies: Record<string, WitnessAnswer> = {
  "signatures of random bytes": (response, honest) => {
    const [head, encoded] = honest
      .toString()
      .trim()
      .split(/ (?=\S+$)/) as [string, string];
    const bytes = Buffer.from(encoded, "base64");
    bytes.fill(7, 12);
    response.end(`${head} ${bytes.toString("base64")}\n`);
  },
  "a signature in another's name": (response, honest) =>
    response.end(honest.toString().replace("witness.test", "plane")),
  "nothing at all": (response) => response.end(),
  "bytes that are no signatures": (response) => response.end(Buffer.alloc(1000, 0xff)),
  "a body without end": (response) => {
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(64 * 1024, 0x41)));
      response.once("drain", more);
    };
    more();
  },
  "a hang-up": (response) => response.destroy(),
  "a failure": (response) => response.writeHead(500).end("no"),
  "a redirect to someone else": (response) => response.writeHead(307, { location: "http://127.0.0.1:1/" }).end(),
  "another size each time": (response) =>
    response.writeHead(409, { "content-type": "text/x.tlog.size" }).end(`${Math.floor(Math.random() * 2)}\n`),
  "a size that is none": (response) => response.writeHead(409, { "content-type": "text/x.tlog.size" }).end("1e9\n"),
};

for (const [lie, answer] of Object.entries(lies)) {
  test(`attack: a witness answers with ${lie}`, async (t) => {
    const { plane, witness, liar, folder } = await scene(t);
    const device = await TestDevice.enrolled(plane, join(folder, "device"));
    t.after(() => device.close());
    await plane.seal();
    const before = await sizeOf(plane);
    liar.answer = answer;
    assert.equal((await device.sync(plane)).status, "mirrored", "devices are served all the same");
    await plane.seal();
    assert.equal(await sizeOf(plane), before, "nothing is shown as cosigned that is not");
    const during = await readiness(plane);
    assert.deepEqual([during.ready, during.witnesses[0]?.agrees], [true, false]);
    liar.answer = undefined;
    await plane.seal();
    const after = await sizeOf(plane);
    assert.ok(after > before);
    assert.equal(after, witness.size);
    assert.equal((await readiness(plane)).witnesses[0]?.agrees, true);
  });
}

test("attack: a witness replays its cosignature of an earlier checkpoint", async (t) => {
  const { plane, liar, folder } = await scene(t);
  let kept: Buffer | undefined;
  liar.answer = (response, honest) => {
    kept ??= honest;
    response.end(kept);
  };
  const before = await sizeOf(plane);
  const device = await TestDevice.enrolled(plane, join(folder, "device"));
  t.after(() => device.close());
  await device.sync(plane);
  await plane.seal();
  await plane.seal();
  assert.equal(await sizeOf(plane), before);
});

test("attack: a witness that does not answer, and many who ask for a fresh checkpoint: they share one round", async (t) => {
  let now = Date.now();
  const { plane, liar } = await scene(t, { clock: { now: () => now } });
  now += 60_000;
  const { promise: held, resolve: hold } = Promise.withResolvers<ServerResponse>();
  liar.answer = hold;
  const before = liar.asked;
  const token = await plane.token("auditor");
  const asking = Array.from({ length: 30 }, () => call(plane.url, "GET", "/log/checkpoint", { token }));
  const response = await held;
  liar.answer = (later) => later.destroy();
  response.destroy();
  const answers = await Promise.all(asking);
  assert.ok(answers.every(({ status }) => status === 200));
  assert.ok(liar.asked - before <= 3, `the witness was asked ${liar.asked - before} times`);
});

test("with two witnesses and a quorum of one, either may be away, and is brought up to date", async (t) => {
  const folder = await temporaryFolder(t);
  const dir = join(folder, "plane");
  const [one, two] = [
    await TestWitness.start(t, dir, "witness.test/one"),
    await TestWitness.start(t, dir, "witness.test/two"),
  ];
  const lineOf = (witness: TestWitness, name: string) =>
    witness.policy.split("\n")[0]!.replace("witness one", `witness ${name}`);
  const witnessPolicy = `${lineOf(one, "one")}\n${lineOf(two, "two")}\ngroup some any one two\nquorum some\n`;
  const plane = await TestPlane.start(t, { dir, witnessPolicy, init: true });
  const device = await TestDevice.enrolled(plane, join(folder, "device"));
  t.after(() => device.close());
  for (const away of [one, two]) {
    const before = await sizeOf(plane);
    await away.stop();
    await device.infer();
    await device.sync(plane);
    await plane.seal();
    assert.ok((await sizeOf(plane)) > before);
    await away.start();
  }
  await device.infer();
  await device.sync(plane);
  await plane.seal();
  assert.deepEqual([one.size, two.size], [await sizeOf(plane), await sizeOf(plane)]);
});

for (const witnessed of [true, false]) {
  test(`the clock goes back by an hour: answers still hold, ${witnessed ? "with a witness" : "by the plane's word"}`, async (t) => {
    let now = Date.now();
    const clock = { now: () => now };
    const folder = await temporaryFolder(t);
    const plane = witnessed ? (await scene(t, { clock })).plane : await TestPlane.start(t, { clock });
    const device = await TestDevice.enrolled(plane, join(folder, "device"));
    t.after(() => device.close());
    for (const step of [0, 0, -3_600_000, 1000, 1000]) {
      now += step;
      await device.infer();
      assert.equal((await device.sync(plane)).status, "mirrored");
      await plane.seal();
    }
    const answer = await plane.call("GET", `/api/v1/audit?from=1&to=${Date.now() + 60_000}`);
    assert.equal(answer.status, 200, answer.text.slice(0, 200));
    const trust = parseTrust((await plane.call("GET", "/api/v1/trust")).text);
    const report = await verifyBundle({ bundle: answer.bytes, trust });
    assert.deepEqual(
      report.checks.filter(({ result }) => result === "bad"),
      [],
    );
    assert.equal(report.answer?.records.length, 5);
    const before = await sizeOf(plane);
    await plane.stop();
    await plane.start();
    await device.infer();
    await device.freshToken(plane);
    await device.sync(plane);
    await plane.seal();
    assert.ok((await sizeOf(plane)) > before);
  });
}

test("a statement's proof waits for a witness that comes back, and says so where it does not", async (t) => {
  const { plane, liar } = await scene(t);
  const { sealer, logs } = plane.plane.parts;
  liar.answer = (response) => response.destroy();
  const index = await logs.append("log", {
    kind: "heads",
    fleetSize: 1,
    fleetRoot: await logs.fleet.root(1),
    n: 0,
    root: await logs.log.root(0),
  });
  await assert.rejects(sealer.covering(index, 1), { code: "not-ready" });
  const waiting = sealer.covering(index, 60_000);
  await plane.seal();
  liar.answer = undefined;
  await plane.seal();
  await waiting;
  assert.ok((await sizeOf(plane)) > index);
});

test("attack: fleet and log are cosigned apart: heads never name a fleet checkpoint that nobody was shown", async (t) => {
  const { plane, liar, folder } = await scene(t);
  const devices: TestDevice[] = [];
  t.after(() => Promise.all(devices.map((device) => device.close())));
  for (let n = 0; n < 3; n += 1) {
    devices.push(await TestDevice.enrolled(plane, join(folder, `device-${n}`)));
    // The round's first request is the fleet's: it is refused, the log's is answered.
    let refused = false;
    liar.answer = (response, honest) => {
      if (refused) return response.end(honest);
      refused = true;
      response.destroy();
    };
    await plane.seal();
    liar.answer = undefined;
    const answer = await plane.call("GET", `/api/v1/audit?from=1&to=${Date.now() + 60_000}`);
    assert.equal(answer.status, 200, answer.text.slice(0, 300));
  }
});
