import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import {
  type Digest,
  digestFromHash,
  digestOf,
  memberTypes,
  type Quarantined,
  quarantineStatement,
  quarantinesOf,
  type Report,
  readBundle,
  type Statement,
  selectionStatement,
  trainingStatement,
  utf8,
  verifyBundle,
  writeBundle,
} from "@tally/evidence";
import { answer } from "./answer.ts";
import { AnswerWorld, type TestDevice, type TestModel } from "./answer-world.ts";
import { explain, judge } from "./judgement.ts";

describe("quarantine", () => {
  let world: AnswerWorld;
  let device: TestDevice;
  let model: TestModel;
  let indices: number[];

  const put = (what: Quarantined, at = 1): Statement =>
    quarantineStatement({ decision: "quarantine", what, reason: "the sensor drifted", at });
  const lift = (lifts: Digest, digest: Digest): Statement =>
    quarantineStatement({ decision: "lift", lifts, subjects: [{ digest }], reason: "recalibrated", at: 2 });
  const ofDevice = async (from: number, to: number | null = null, of = device): Promise<Quarantined> => ({
    kind: "device",
    origin: of.origin,
    from,
    to,
    genesis: digestFromHash(await of.ledger.leafHash(0)),
  });
  const judged = async () => {
    await world.seal();
    return judge(world);
  };
  const receipt = async (index: number) => {
    await world.seal();
    const bundle = await answer(world, { kind: "record", origin: device.origin, index });
    return verifyBundle({ bundle, trust: world.trust });
  };
  /** Indices of the records that are under quarantine. */
  const kept = ({ answer: found }: Report) =>
    found!.records.filter((record) => quarantinesOf(record, found!).length > 0).map(({ index }) => index);
  const whyNot = ({ checks }: Report) => checks.filter(({ name }) => name === "signer").map(({ reason }) => reason);

  beforeEach(async () => {
    world = await AnswerWorld.create();
    await world.seal();
    device = await world.enrol();
    model = await world.publish("m");
    await world.load(device, model);
    indices = [];
    for (let i = 0; i < 4; i++) indices.push(await world.infer(device));
    await world.sync(device);
  });
  afterEach(() => world.destroy());

  test("records of a device from an entry on are under quarantine, by whom and why, and every proof holds", async () => {
    const statement = await world.state("steward", put(await ofDevice(indices[2]!)));
    const report = await judged();
    assert.equal(explain(report), "");
    assert.equal(report.outcome, "good");
    assert.deepEqual(kept(report), indices.slice(2));
    const [found, ...others] = report.answer!.quarantines;
    assert.deepEqual(others, []);
    assert.deepEqual(
      [found?.statement, found?.by, found?.reason, found?.repositories, found?.lifted],
      [statement, ["steward"], "the sensor drifted", ["tumours"], null],
    );
    const [inside, outside] = [await receipt(indices[3]!), await receipt(indices[0]!)];
    assert.deepEqual([inside.outcome, kept(inside)], ["good", [indices[3]]]);
    assert.deepEqual([outside.outcome, outside.answer!.quarantines], ["good", []]);
  });

  test("a range, a segment, a model and its data are, each for what it names", async () => {
    const [, second, third] = indices as [number, number, number];
    const manifest = digestOf(utf8("a segment"));
    const segment = { kind: "segment", manifest, origin: device.origin, from: third, to: third + 1 } as const;
    await world.state("steward", put(await ofDevice(second, third)));
    await world.state("steward", put({ ...segment, model: model.manifest }));
    await world.state("steward", put({ ...segment, model: digestOf(utf8("another model")), from: 0 }));
    const data = digestOf(utf8("m data"));
    const dataset = await world.state("steward", put({ kind: "dataset", files: [{ name: "data.csv", digest: data }] }));
    const some = await judged();
    assert.equal(explain(some), "");
    assert.deepEqual(kept(some), [second, third]);
    assert.ok(some.answer!.quarantines.some(({ statement }) => statement === dataset));
    await world.state("steward", put({ kind: "model", manifest: model.manifest }));
    const all = await judged();
    assert.equal(explain(all), "");
    assert.deepEqual([all.outcome, kept(all)], ["good", indices]);
  });

  test("what is lifted is shown with who lifted it, and keeps nothing out", async () => {
    const what = await ofDevice(0);
    const statement = await world.state("steward", put(what));
    const lifting = await world.state("steward", lift(statement, digestFromHash(await device.ledger.leafHash(0))));
    const report = await judged();
    assert.equal(explain(report), "");
    assert.deepEqual(kept(report), []);
    const [found] = report.answer!.quarantines;
    assert.deepEqual(
      [found?.repositories, found?.lifted],
      [[], { statement: lifting, by: ["steward"], reason: "recalibrated" }],
    );
    await world.state("steward", put(what, 3));
    assert.deepEqual(kept(await judged()), indices, "a new statement keeps it out again");
  });

  test("attack: somebody who may not, or may only elsewhere, puts a device under quarantine or lifts one", async () => {
    const forged = put(await ofDevice(0));
    await world.state("reviewer", forged);
    await world.state("outsider", forged);
    const none = await judged();
    assert.deepEqual([none.outcome, none.answer!.quarantines], ["good", []]);
    assert.match(
      whyNot(none).join("\n"),
      /reviewer may not quarantine[\s\S]*outsider may quarantine for toys, not for tumours/,
    );
    const statement = await world.state("steward", put(await ofDevice(0)));
    await world.state("outsider", lift(statement, digestFromHash(await device.ledger.leafHash(0))));
    assert.deepEqual(kept(await judged()), indices);
  });

  test("a revoked key's quarantine counts where it is proven older than the compromise", async () => {
    await world.state("steward", put(await ofDevice(0)));
    await world.seal();
    await world.revokePerson("steward", world.nowMs + 3_600_000);
    assert.deepEqual(kept(await judged()), indices);
    await world.revokePerson("steward", Date.UTC(2025, 0));
    const report = await judged();
    assert.deepEqual([report.outcome, kept(report)], ["good", []]);
    assert.match(whyNot(report).join("\n"), /steward signed with a key that is revoked/);
  });

  test("attack: a quarantine that is in no log is not honoured", async () => {
    await world.state("steward", put(await ofDevice(0)));
    await world.seal();
    const question = { kind: "record", origin: device.origin, index: indices[1]! } as const;
    const { members } = await readBundle(await answer(world, question));
    const isQuarantine = (bytes: Uint8Array) =>
      Buffer.from(String(JSON.parse(Buffer.from(bytes).toString()).payload), "base64").includes("urn:tally:quarantine");
    const envelope = members.find(({ type, bytes }) => type === memberTypes.envelope && isQuarantine(bytes));
    const unlogged = members.filter(
      ({ type, bytes }) =>
        type !== memberTypes.planeEntry || !Buffer.from(bytes).includes(Buffer.from(envelope!.digest)),
    );
    assert.equal(unlogged.length, members.length - 1);
    const report = await verifyBundle({ bundle: writeBundle(question, unlogged), trust: world.trust });
    assert.deepEqual([report.outcome, report.answer!.quarantines], ["not proven", []]);
    assert.match(explain(report), /does not prove it to be in the plane's log/);
  });

  test("a model's answer shows what its training data were drawn from and is under quarantine now", async () => {
    const other = await world.enrol();
    const rows = digestOf(utf8("rows.csv"));
    const range = { manifest: digestOf(utf8("of the other")), origin: other.origin, from: 0, to: 100, rows: 50 };
    const selected = selectionStatement([{ name: "rows.csv", digest: rows }], {
      model: model.manifest,
      segments: [range],
      filters: {},
    });
    await world.state("publisher", selected);
    const training = trainingStatement([{ name: "model.onnx", digest: model.file }], {
      buildType: "urn:test:training",
      parameters: {},
      dependencies: [{ name: "rows.csv", digest: rows, role: "dataset" }],
      builder: "urn:test:builder",
    });
    await world.state("publisher", training);
    const statement = await world.state("steward", put(await ofDevice(40, null, other)));
    await world.state("steward", put(await ofDevice(100, null, other)));
    await world.seal();
    const question = { kind: "record", origin: device.origin, index: indices[0]! } as const;
    const report = await verifyBundle({ bundle: await answer(world, question), trust: world.trust });
    assert.equal(explain(report), "");
    assert.deepEqual(
      report.answer!.quarantines.map((found) => found.statement),
      [statement],
    );
  });

  test("a selection in several parts is one answer: all its segments, and which parts are missing", async () => {
    const rows = digestOf(utf8("rows.csv"));
    const range = (i: number) => ({
      manifest: digestOf(utf8(`${i}`)),
      origin: device.origin,
      from: i,
      to: i + 1,
      rows: 1,
    });
    const part = (number: number) =>
      selectionStatement([{ name: "rows.csv", digest: rows }], {
        model: model.manifest,
        segments: [range(number)],
        filters: {},
        part: { number, of: 3 },
      });
    const training = trainingStatement([{ name: "model.onnx", digest: model.file }], {
      buildType: "urn:test:training",
      parameters: {},
      dependencies: [{ name: "rows.csv", digest: rows, role: "dataset" }],
      builder: "urn:test:builder",
    });
    await world.state("publisher", training);
    for (const number of [3, 1, 1]) await world.state("publisher", part(number));
    const found = ({ answer: of }: Report) =>
      of!.models[0]!.origin.data.find(({ digest }) => digest === rows)!.segments.map(({ from }) => from);
    const some = await judged();
    assert.deepEqual([some.outcome, found(some)], ["good", [1, 3]]);
    assert.match(JSON.stringify(some.checks), /1 parts of the selection are not here/);
    await world.state("publisher", part(2));
    const all = await judged();
    assert.equal(explain(all), "");
    assert.deepEqual(found(all), [1, 2, 3]);
  });
});
