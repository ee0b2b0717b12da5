import assert from "node:assert/strict";
import { cp, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseCheckpoint, type Readiness } from "@tally/evidence";
import type { Logger } from "../operation/logger.ts";
import { Liar, type WitnessAnswer } from "../testing/lying-witness.ts";
import { call, json } from "../testing/plane-client.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { TestPlane, type TestPlaneOptions, TestWitness } from "../testing/test-plane.ts";

const larger: WitnessAnswer = (response) =>
  response.writeHead(409, { "content-type": "text/x.tlog.size" }).end("1000000\n");
const otherRoot: WitnessAnswer = (response) => response.writeHead(422).end("another root than the one held\n");
const hangUp: WitnessAnswer = (response) => response.destroy();

/** Keeps what is logged. */
class Log implements Logger {
  readonly lines: { level: string; fields: Record<string, unknown>; message: string }[] = [];
  info(fields: object, message: string): void {
    this.lines.push({ level: "info", fields: { ...fields }, message });
  }
  warn(fields: object, message: string): void {
    this.lines.push({ level: "warn", fields: { ...fields }, message });
  }
  error(fields: object, message: string): void {
    this.lines.push({ level: "error", fields: { ...fields }, message });
  }
  said(level: string, message: RegExp): boolean {
    return this.lines.some((line) => line.level === level && message.test(line.message));
  }
}

const names = ["a", "b", "c"] as const;

/** Three witnesses, each behind someone who can lie in its name, and a plane that needs two. */
async function scene(t: TestContext, quorum = "2", options: TestPlaneOptions = {}) {
  const folder = await temporaryFolder(t);
  const dir = join(folder, "plane");
  const witnesses: TestWitness[] = [];
  const liars: Liar[] = [];
  for (const name of names) {
    const witness = await TestWitness.start(t, dir, `witness.test/${name}`);
    witnesses.push(witness);
    liars.push(await Liar.start(t, witness));
  }
  const lines = witnesses.map((witness, i) =>
    witness.policy
      .split("\n")[0]!
      .replace("witness one", `witness ${names[i]}`)
      .replace(/http:\S+/, liars[i]!.url),
  );
  const witnessPolicy = `${lines.join("\n")}\ngroup some ${quorum} a b c\nquorum some\n`;
  const log = new Log();
  const plane = await TestPlane.start(t, {
    dir,
    witnessPolicy,
    init: true,
    logger: log,
    ...options,
  });
  const [a, b, c] = liars as [Liar, Liar, Liar];
  return { plane, witnesses, a, b, c, folder, log };
}

const sizeOf = async (plane: TestPlane) =>
  parseCheckpoint((await plane.call("GET", "/log/checkpoint")).text).checkpoint.size;
const readiness = async (plane: TestPlane) => json<Readiness>(await call(plane.url, "GET", "/readyz"));

/** Something new to seal. */
async function grow(t: TestContext, plane: TestPlane, folder: string): Promise<void> {
  const device = await TestDevice.enrolled(plane, join(folder, `device-${Math.random()}`));
  t.after(() => device.close());
}

async function copyFolder(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true });
  for (const name of await readdir(to, { recursive: true })) {
    if (/(^|\/)lock\.[^/]*$/.test(name)) await rm(join(to, name), { recursive: true });
  }
}

const lies: Record<string, WitnessAnswer> = {
  "a larger size": larger,
  "another history": otherRoot,
  "a hang-up": hangUp,
  "someone else's words": (response) => response.end("— somebody else AAAA\n"),
  "a failure": (response) => response.writeHead(500).end(),
};

for (const [what, answer] of Object.entries(lies)) {
  test(`attack: one witness of three lies with ${what} at the start: the other two are the quorum, and the plane goes on`, async (t) => {
    const { plane, a, folder, log } = await scene(t);
    await plane.stop();
    a.answer = answer;
    await plane.start();
    const before = await sizeOf(plane);
    await grow(t, plane, folder);
    await plane.seal();
    assert.ok((await sizeOf(plane)) > before);
    const { ready, witnesses } = await readiness(plane);
    assert.equal(ready, true);
    const contradiction = answer === larger || answer === otherRoot;
    assert.deepEqual(
      witnesses.map(({ agrees, setAside }) => [agrees, setAside ?? false]),
      [
        [false, contradiction],
        [true, false],
        [true, false],
      ],
    );
    const kept = await plane.plane.parts.db.query("SELECT witness, offered FROM witness_contradiction");
    assert.equal(kept.length > 0, contradiction, "what it said is kept, and nothing where it said nothing");
    assert.equal(log.said("error", /contradicts this plane/), contradiction);
    a.answer = undefined;
    await grow(t, plane, folder);
    await plane.seal();
    assert.ok((await readiness(plane)).witnesses.every(({ agrees }) => agrees));
  });
}

test("attack: two of three witnesses contradict the plane at the start: nothing is signed, and it is said who said what", async (t) => {
  const { plane, a, b } = await scene(t);
  await plane.stop();
  [a.answer, b.answer] = [larger, otherRoot];
  await plane.start();
  const { log } = plane.plane.parts.logs;
  const signed = log.latest?.note;
  await assert.rejects(plane.seal(), {
    code: "refuses-to-sign",
    hint: /restore the newest backup.*--insecure-ignore/s,
  });
  assert.equal(log.latest?.note, signed);
  const { ready, problem, hint } = await readiness(plane);
  assert.equal(ready, false);
  assert.match(hint ?? "", /restore the newest backup/);
  assert.match(problem ?? "", /a: it has cosigned \S+ at size 1000000.*b: it holds another history/);
  await plane.stop();
  const alone = plane.start({ insecureIgnoreWitnesses: ["a", "b"] });
  await assert.rejects(alone, { code: "configuration", message: /quorum cannot be met/ });
});

test("two of three witnesses are down at the start: the plane waits, and goes on when one is back", async (t) => {
  const { plane, a, b, folder } = await scene(t);
  await grow(t, plane, folder);
  await plane.stop();
  [a.answer, b.answer] = [hangUp, hangUp];
  await plane.start();
  const { log } = plane.plane.parts.logs;
  const signed = log.latest?.note;
  await assert.rejects(plane.seal(), { code: "not-ready", message: /too few witnesses.*a: .*b: / });
  assert.equal(log.latest?.note, signed);
  a.answer = undefined;
  const before = await sizeOf(plane);
  await grow(t, plane, folder);
  await plane.seal();
  assert.ok((await sizeOf(plane)) > before);
  assert.equal((await readiness(plane)).ready, true);
});

test("attack: an old copy starts while a witness that knows better is down: the others that know refuse for it", async (t) => {
  const { plane, witnesses, a, b, folder } = await scene(t);
  await plane.stop();
  const copy = join(folder, "copy");
  await copyFolder(plane.dir, copy);
  await plane.start();
  // What is published beyond the copy is cosigned by a and b alone.
  await witnesses[2]!.stop();
  await grow(t, plane, folder);
  await plane.seal();
  await plane.stop();
  await witnesses[2]!.start();
  a.answer = hangUp;
  const old = new TestPlane(copy, { witnessPolicy: await policyIn(copy) });
  t.after(() => old.stop());
  await old.start();
  await assert.rejects(old.seal(), { code: "refuses-to-sign", message: /b: it has cosigned/ });
  // Only c is left, and c alone has never been a quorum.
  b.answer = hangUp;
  await assert.rejects(old.seal(), { code: "not-ready" });
});

async function policyIn(dir: string): Promise<string> {
  return readFile(join(dir, "witness-policy.txt"), "utf8");
}

test("not prevented: witnesses that make a quorum forget what they cosigned, and an old copy goes on; the third has its say kept, and a device stops it", async (t) => {
  const { plane, witnesses, folder } = await scene(t);
  const device = await TestDevice.enrolled(plane, join(folder, "device"));
  t.after(() => device.close());
  await plane.seal();
  await plane.stop();
  const copy = join(folder, "copy");
  await copyFolder(plane.dir, copy);
  await plane.start();
  await grow(t, plane, folder);
  await plane.seal();
  await device.sync(plane);
  await plane.stop();
  for (const colluding of witnesses.slice(0, 2)) await colluding.forget();
  const old = new TestPlane(copy, { witnessPolicy: await policyIn(copy) });
  t.after(() => old.stop());
  await old.start();
  await old.enrolmentToken();
  await old.seal();
  const { ready, witnesses: said } = await readiness(old);
  assert.equal(ready, true, "choose witnesses that do not collude");
  assert.equal(said.find(({ name }) => name === "witness.test/c")?.setAside, true);
  const kept = await old.plane.parts.db.query<{ witness: string }>(
    "SELECT DISTINCT witness FROM witness_contradiction",
  );
  assert.deepEqual(kept, [{ witness: "witness.test/c" }]);
  await device.freshToken(old);
  await assert.rejects(old.seal(), {
    code: "refuses-to-sign",
    message: new RegExp(`the device ${device.origin} holds`),
  });
});

test("attack: with a quorum of any one, a single witness that names a larger size could have published it: it stops the plane, and the operator's word sets it aside", async (t) => {
  const { plane, a, folder, log } = await scene(t, "any");
  a.answer = larger;
  await grow(t, plane, folder);
  await assert.rejects(plane.seal(), { code: "refuses-to-sign" });
  const { log: own } = plane.plane.parts.logs;
  const signed = own.latest?.note;
  await assert.rejects(plane.seal(), { code: "refuses-to-sign" }, "and it signs nothing more while it is told so");
  assert.equal(own.latest?.note, signed);
  await plane.stop();
  await plane.start({ insecureIgnoreWitnesses: ["a"] });
  await plane.seal();
  assert.ok(log.said("warn", /set aside by the operator/));
  const { ready, witnesses } = await readiness(plane);
  assert.equal(ready, true);
  assert.equal(witnesses.find(({ name }) => name === "witness.test/a")?.ignored, true);
  await plane.stop();
  await assert.rejects(plane.start({ insecureIgnoreWitnesses: ["nobody"] }), { code: "configuration" });
});

test("attack: witnesses that begin to lie while the plane runs are set aside one by one; with the quorum its signing ends, and comes back with it", async (t) => {
  const { plane, a, b, folder, log } = await scene(t);
  a.answer = otherRoot;
  let before = await sizeOf(plane);
  await grow(t, plane, folder);
  await plane.seal();
  assert.ok((await sizeOf(plane)) > before, "one liar stops nothing");
  assert.ok(log.said("error", /contradicts this plane and is set aside/));
  b.answer = larger;
  before = await sizeOf(plane);
  await grow(t, plane, folder);
  await assert.rejects(plane.seal(), { code: "refuses-to-sign" });
  assert.equal(await sizeOf(plane), before);
  [a.answer, b.answer] = [undefined, undefined];
  await plane.seal();
  assert.ok((await sizeOf(plane)) > before);
  assert.ok(log.said("info", /agrees again/));
  assert.ok(log.said("info", /signing goes on/));
});

test("attack: a witness's cosignature of an hour ago is replayed at the start: it does not count as its agreement", async (t) => {
  let now = Date.now();
  const { plane, a, b, c } = await scene(t, "all", { clock: { now: () => now } });
  const recorded = new Map<Liar, Buffer[]>();
  await plane.stop();
  // Recorded when the same checkpoints were shown at an earlier start.
  for (const liar of [a, b, c]) {
    recorded.set(liar, []);
    liar.answer = (response, honest) => {
      recorded.get(liar)!.push(honest);
      response.end(honest);
    };
  }
  await plane.start();
  await plane.stop();
  now += 3_600_000;
  for (const liar of [a, b, c]) {
    liar.answer = (response) => response.end(recorded.get(liar)!.shift() ?? Buffer.alloc(0));
  }
  await plane.start();
  const { ready, problem } = await readiness(plane);
  assert.equal(ready, false);
  assert.match(problem ?? "", /replayed, or a clock is wrong/);
});

test("a plane that has witnesses does not start without them by oversight", async (t) => {
  const { plane } = await scene(t);
  await plane.stop();
  await assert.rejects(plane.start({ witnessPolicy: "quorum none\n" }), {
    code: "configuration",
    message: /witness\.test\/a, witness\.test\/b, witness\.test\/c/,
    hint: /--witness-policy \S+witness-policy\.txt/,
  });
  await plane.start({ witnessPolicy: "quorum none\n", insecureNoWitnesses: true });
  await plane.seal();
  await plane.stop();
  await plane.start({ witnessPolicy: "quorum none\n" });
});

test("attack: an old copy is started with witnesses who know nothing: those it was last used with are asked first", async (t) => {
  const { plane, folder } = await scene(t);
  await plane.stop();
  const copy = join(folder, "copy");
  await copyFolder(plane.dir, copy);
  await plane.start();
  await grow(t, plane, folder);
  await plane.seal();
  await plane.stop();
  const fresh = await TestWitness.start(t, plane.dir, "witness.test/fresh");
  const old = new TestPlane(copy, { witnessPolicy: fresh.policy });
  t.after(() => old.stop());
  await old.start();
  await assert.rejects(old.seal(), { code: "refuses-to-sign" });
  assert.equal(fresh.size, 0);
  // The real one may change its witnesses: the earlier ones agree.
  await plane.start({ witnessPolicy: fresh.policy });
  await plane.seal();
  assert.equal(fresh.size, await sizeOf(plane));
});
