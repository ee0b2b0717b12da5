import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import {
  digestOf,
  encodeCbor,
  encodeEntry,
  exitCodeOf,
  hashFromDigest,
  hashLeaf,
  noteSignerFromPem,
  parseCheckpoint,
  type Question,
  rootOf,
  signCheckpoint,
  utf8,
  verifyBundle,
} from "@tally/evidence";
import { answer } from "./answer.ts";
import { AnswerWorld, type TestDevice, type TestModel } from "./answer-world.ts";
import { explain, failed, judge, judgeRecord } from "./judgement.ts";

const hour = 3_600_000;

describe("a device that lies", () => {
  let world: AnswerWorld;
  let model: TestModel;
  let device: TestDevice;

  beforeEach(async () => {
    world = await AnswerWorld.create();
    model = await world.publish("first");
    await world.seal();
    device = await world.enrol();
  });
  afterEach(() => world.destroy());

  /** Both questions about the device's newest record. */
  const both = async (index: number) => {
    await world.sync(device);
    return [await judge(world), await judgeRecord(world, device.origin, index)] as const;
  };

  test("restarts, unloads and second models are no lies", async () => {
    const second = await world.publish("second");
    await world.load(device, model);
    await world.infer(device);
    await world.unload(device);
    await world.load(device, second);
    const other = await world.infer(device);
    await world.restart(device);
    await world.load(device, model);
    const last = await world.infer(device);
    const [records, receipt] = await both(last);
    assert.equal(explain(records), "");
    assert.equal(explain(receipt), "");
    assert.equal(explain(await judgeRecord(world, device.origin, other)), "");
    assert.deepEqual(
      records.answer?.records.map((record) => record.model),
      [model.manifest, second.manifest, model.manifest],
    );
    assert.equal(receipt.answer?.records[0]?.index, last);
  });

  test("attack: a load that was refused", async () => {
    await world.load(device, model);
    const refused = await world.load(device, model, "refused");
    const index = await world.infer(device, 0, refused);
    const [records, receipt] = await both(index);
    assert.deepEqual(failed(records), ["ordinals"]);
    assert.match(explain(receipt), /record .*names load 2, which was refused/);
  });

  test("attack: a load that was unloaded", async () => {
    await world.load(device, model);
    await world.unload(device);
    const index = await world.infer(device);
    const [records, receipt] = await both(index);
    assert.match(explain(records), /ordinals .*unloaded at 2/);
    assert.match(explain(receipt), /record .*its load had been unloaded/);
  });

  test("attack: a load of an earlier run", async () => {
    await world.load(device, model);
    await world.restart(device);
    const index = await world.infer(device, 0);
    const [records, receipt] = await both(index);
    assert.match(explain(records), /ordinals .*no accepted load of this run/);
    assert.match(explain(receipt), /record .*not of the record's run/);
  });

  test("attack: a load that comes only after the record", async () => {
    await world.load(device, model);
    const index = await world.infer(device, 0, 3);
    const later = await world.load(device, model);
    device.loads.at(-1)!.count = 1;
    assert.equal(later, 3);
    const [records, receipt] = await both(index);
    assert.match(explain(records), /ordinals/);
    assert.match(explain(receipt), /record .*which comes after it/);
  });

  test("attack: an ordinal for which there is no room, and a summary that counts more than there is", async () => {
    await world.load(device, model);
    device.load!.count = 7;
    const index = await world.infer(device);
    const [records, receipt] = await both(index);
    assert.match(explain(records), /ordinals .*is 7, 0 was next/);
    assert.match(explain(receipt), /record .*no room/);
  });

  test("attack: a record that is not counted", async () => {
    await world.load(device, model);
    const index = await world.infer(device);
    device.load!.count = 0;
    const [records, receipt] = await both(index);
    assert.match(explain(records), /ordinals .*the summary gives load 1 0 records/);
    assert.match(explain(receipt), /record .*counts 0 records/);
  });

  test("attack: a record dressed as an entry that nobody understands", async () => {
    await world.load(device, model);
    const bytes = encodeCbor(
      new Map([
        [0, 5],
        [1, world.nowMs],
        [-1, 1],
      ]),
    );
    await device.ledger.append(bytes).committed;
    await world.sync(device);
    const report = await judge(world);
    assert.deepEqual(failed(report), ["entries understood"]);
    assert.equal(report.outcome, "not proven");
  });

  test("attack: a measurement of nothing, of other files, of another size, or of a list that nobody has", async () => {
    const lies = [
      { files: [] },
      { files: [{ digest: digestOf(utf8("backdoor")), size: 1000 }] },
      { files: [{ digest: model.file, size: 999 }] },
    ];
    for (const lie of lies) {
      const other = await world.enrol();
      await world.load(other, model, "accepted", lie);
      await world.sync(other);
      assert.deepEqual(failed(await judge(world)), ["loaded files"]);
      await other.ledger.close();
      await world.destroy();
      world = await AnswerWorld.create();
      model = await world.publish("first");
      await world.seal();
    }
  });

  test("a long list of files is a blob, and is read as strictly", async () => {
    const good = encodeCbor([[hashFromDigest(model.file), 1000]]);
    world.blobs.set(digestOf(good), good);
    await world.load(device, model, "accepted", { files: [], filesBlob: digestOf(good) });
    await world.sync(device);
    assert.equal(explain(await judge(world)), "");
    world.blobs.delete(digestOf(good));
    assert.deepEqual(failed(await judge(world)), ["loaded files"]);
    for (const wrong of [encodeCbor([[hashFromDigest(model.file), 1]]), encodeCbor([7]), utf8("nothing")]) {
      world.blobs.set(digestOf(wrong), wrong);
      await world.load(device, model, "accepted", { files: [], filesBlob: digestOf(wrong) });
      await world.sync(device);
      assert.ok(failed(await judge(world)).includes("loaded files"));
    }
  });

  test("a load that claims no measurement needs no files, and is shown with its own grade", async () => {
    await world.load(device, model, "accepted", { files: [], grade: "declared" });
    await world.infer(device);
    await world.sync(device);
    const report = await judge(world);
    assert.equal(explain(report), "");
    assert.equal(report.answer?.records[0]?.grade, "declared");
  });

  test("refused loads and gaps are told, of any model", async () => {
    await world.load(device, model);
    await world.load(device, model, "refused");
    await world.write(device, { kind: "gap", atMost: 9, from: 1, to: 2, reason: 0 });
    await world.sync(device);
    const bundle = await answer(world, {
      kind: "records",
      model: model.manifest,
      from: Date.UTC(2025, 11),
      to: Date.UTC(2027, 0),
      devices: null,
    });
    const report = await verifyBundle({ bundle, trust: world.trust });
    assert.equal(explain(report), "");
    assert.equal(report.answer?.refused.length, 1);
    assert.equal(report.answer?.ledgers[0]?.gaps, 1);
  });

  test("attack: an anchor with values that are not those of the note it names", async () => {
    const { size, note } = (await world.newest())!;
    const { root } = parseCheckpoint(note).checkpoint;
    await world.write(device, { kind: "anchor", size: size + 1, root, noteHash: hashFromDigest(digestOf(note)) });
    await world.sync(device);
    assert.deepEqual(failed(await judge(world)), ["anchors"]);
  });

  test("attack: two histories convict; with the keys revoked the answer holds, and says so", async () => {
    await world.load(device, model);
    await world.infer(device);
    await world.sync(device);
    const held = utf8(device.ledger.latest!.note);
    const size = device.mirroredSize;
    const leaves = Array.from({ length: size }, (_, i) => hashLeaf(utf8(`another entry ${i}`)));
    const signers = [1, 6].map((type, i) => noteSignerFromPem(device.origin, type as 1 | 6, device.pems[i]!));
    const refused = utf8(await signCheckpoint({ origin: device.origin, size, root: rootOf(leaves) }, signers, 0));
    world.accusations.set(device.origin, [{ held, refused, proof: [] }]);
    const open = await judge(world);
    assert.deepEqual(failed(open), ["one history"]);
    assert.equal(exitCodeOf(open), 3);
    assert.equal(open.answer?.ledgers[0]?.standing, "equivocated");

    await world.revoke(device, world.nowMs + hour);
    const answered = await judge(world);
    assert.equal(explain(answered), "");
    assert.equal(exitCodeOf(answered), 0);
    assert.equal(answered.answer?.ledgers[0]?.standing, "equivocated");
    assert.equal(answered.answer?.ledgers[0]?.keyRevoked, 0);

    await world.revoke(device, Date.UTC(2026, 0));
    assert.equal((await judge(world)).answer?.ledgers[0]?.keyRevoked, 1);
  });

  test("attack: an accusation that convicts nobody, or somebody else", async () => {
    await world.load(device, model);
    await world.sync(device);
    const note = utf8(device.ledger.latest!.note);
    world.accusations.set(device.origin, [{ held: note, refused: note, proof: [] }]);
    assert.match(explain(await judge(world)), /one history .*accuses it wrongly/);

    const twin = await world.enrol(() => ({ keySet: device.keySet }));
    await world.sync(twin);
    const signers = [1, 6].map((type, i) => noteSignerFromPem(device.origin, type as 1 | 6, device.pems[i]!));
    const leaves = [hashLeaf(encodeEntry({ kind: "gap", time: 0, atMost: 0, from: 0, to: 0, reason: 0 }))];
    const size = leaves.length;
    const sign = async (root: ReturnType<typeof rootOf>) =>
      utf8(await signCheckpoint({ origin: device.origin, size, root }, signers, 0));
    const held = await sign(rootOf(leaves));
    const refused = await sign(rootOf([hashLeaf(utf8("other"))]));
    world.accusations.clear();
    world.accusations.set(twin.origin, [{ held, refused, proof: [] }]);
    assert.match(explain(await judge(world)), /one history .*accuses it wrongly: it is of/);
  });

  test("attack: a head that covers an anchor before the anchor's checkpoint was cosigned", async () => {
    await world.load(device, model);
    world.pass(10 * hour);
    await world.seal();
    const anchor = (await world.newest())!;
    const { root } = parseCheckpoint(anchor.note).checkpoint;
    const noteHash = hashFromDigest(digestOf(anchor.note));
    world.pass(-5 * hour);
    await world.write(device, { kind: "anchor", size: anchor.size, root, noteHash });
    const { note, checkpoint } = await device.ledger.seal();
    world.blobs.set(digestOf(utf8(note)), utf8(note));
    device.mirroredSize = checkpoint.size;
    await world.seal();
    assert.deepEqual(failed(await judge(world)), ["time order"]);
    const patient = { ...world.trust, skewSeconds: 6 * 3600 };
    const question: Question = { kind: "records", model: null, from: 1, to: Date.UTC(2027, 0), devices: null };
    const report = await verifyBundle({ bundle: await answer(world, question), trust: patient });
    assert.equal(explain(report), "");
  });
});
