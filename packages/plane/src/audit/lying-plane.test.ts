import assert from "node:assert/strict";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import {
  asRootHash,
  decodeHeadLeaf,
  emptyRoot,
  encodeEntry,
  encodeHeadLeaf,
  fleetEntriesMember,
  generatePrivateKeyPem,
  headsLeavesMember,
  memberTypes,
  noteSignerFromPem,
  parseEntries,
  parseFleetEntries,
  parseHeadsLeaves,
  parseRangeProof,
  type Question,
  randomBytes,
  rangeProofMember,
  readBundle,
  verifyBundle,
} from "@tally/evidence";
import { Ledger } from "@tally/ledger";
import { answer } from "./answer.ts";
import { AnswerWorld, type TestDevice, type TestModel } from "./answer-world.ts";
import { explain, failed, judge, judgeRecord, repaired } from "./judgement.ts";

const hour = 3_600_000;
const everything: Question = {
  kind: "records",
  model: null,
  from: Date.UTC(2025, 11),
  to: Date.UTC(2027, 0),
  devices: null,
};

describe("a plane that lies", () => {
  let world: AnswerWorld;
  let model: TestModel;
  let device: TestDevice;
  const work = async (records = 3) => {
    world.pass(hour);
    await world.infer(device);
    for (let i = 1; i < records; i += 1) await world.infer(device);
    await world.sync(device);
  };

  beforeEach(async () => {
    world = await AnswerWorld.create();
    model = await world.publish("first");
    await world.seal();
    device = await world.enrol();
    await world.load(device, model);
    await work();
  });
  afterEach(() => world.destroy());

  test("is believed while it tells the truth", async () => {
    const report = await judge(world);
    assert.equal(explain(report), "");
    assert.equal(report.answer?.records.length, 3);
  });

  test("attack: another root for the size that a device has signed, with entries of the plane's own making", async () => {
    const forged = await Ledger.open({
      dir: join(world.dir, "forged"),
      origin: device.origin,
      signers: [noteSignerFromPem(device.origin, 1, generatePrivateKeyPem("ed25519"))],
    });
    let last = Promise.resolve();
    for await (const bytes of device.ledger.entries(0, device.mirroredSize - 3)) last = forged.append(bytes).committed;
    for (let i = 0; i < 3; i += 1) {
      const gap = { kind: "gap", time: world.nowMs, atMost: 1, from: 1, to: 2, reason: 0 } as const;
      last = forged.append(encodeEntry(gap)).committed;
    }
    await last;
    world.forged.set(device.origin, forged);
    world.lies.set(device.origin, { mirroredRoot: await forged.root(device.mirroredSize) });
    await world.seal();
    const report = await judge(world);
    assert.deepEqual(failed(report), ["device checkpoint"]);
    assert.match(explain(report), /another root for size/);
    await forged.close();
  });

  test("attack: a mirrored size that the device has never signed", async () => {
    const size = device.mirroredSize - 2;
    world.lies.set(device.origin, { mirroredSize: size, mirroredRoot: await device.ledger.root(size) });
    await world.seal();
    assert.deepEqual(failed(await judge(world)), ["device checkpoint"]);
  });

  test("attack: a head of another size than the note it names", async () => {
    const size = device.mirroredSize - 1;
    const root = await device.ledger.root(size);
    world.lies.set(device.origin, {
      pendingSize: size,
      pendingRoot: root,
      mirroredSize: size,
      mirroredRoot: root,
    });
    await world.seal();
    assert.deepEqual(failed(await judge(world)), ["device checkpoint"]);
  });

  test("attack: entries that a device has signed, withheld as if they had not arrived", async () => {
    const before = device.mirroredSize;
    world.pass(hour);
    await world.infer(device);
    await world.sync(device, false);
    const report = await judge(world);
    assert.deepEqual(failed(report), ["delivered"]);
    assert.match(explain(report), new RegExp(`entries ${before} to `));
    assert.equal(report.outcome, "not proven");

    world.lies.set(device.origin, { mirroredSize: 0, mirroredRoot: await device.ledger.root(0) });
    await world.seal();
    const none = await judge(world);
    assert.deepEqual(failed(none), ["delivered"]);
    assert.equal(none.answer?.records.length, 0);
  });

  test("entries that are still on the device and proven younger than the interval are not missed", async () => {
    const to = world.nowMs + 1;
    await work(1);
    world.pass(hour);
    await world.infer(device);
    await world.sync(device, false);
    const bundle = await answer(world, { ...everything, to } as Question);
    assert.equal(explain(await verifyBundle({ bundle, trust: world.trust })), "");
  });

  test("attack: a device that was admitted and has no leaf", async () => {
    await world.enrol();
    const ghost = world.devices.pop()!;
    await world.seal();
    assert.deepEqual(failed(await judge(world)), ["every ledger accounted for"]);
    const receipt = await judgeRecord(world, device.origin, 2);
    assert.ok(failed(receipt).includes("every ledger accounted for"));
    await ghost.ledger.close();
  });

  test("attack: an old heads entry under a new checkpoint hides what came since", async () => {
    const old = (await world.lastHeadsBelow(Number.MAX_SAFE_INTEGER))!;
    await work();
    world.lastHeadsBelow = async () => old;
    const whole = await readBundle(await answer(world, everything));
    const shown = await verifyBundle({ bundle: repaired(whole, (all) => all), trust: world.trust });
    assert.deepEqual(failed(shown), ["heads"]);
    assert.match(explain(shown), /entry \d+ is of kind heads, and is passed over/);

    const isAfterHeads = (type: number, bytes: Uint8Array) =>
      type === memberTypes.rangeProof && parseRangeProof(bytes).origin === world.log.origin;
    const cut = repaired(whole, (all) =>
      all.filter(({ type, bytes }) => {
        if (isAfterHeads(type, bytes)) return false;
        return type !== memberTypes.entries || !new TextDecoder().decode(bytes.subarray(0, 40)).includes("/log");
      }),
    );
    const hidden = await verifyBundle({ bundle: cut, trust: world.trust });
    assert.deepEqual(failed(hidden), ["heads"]);
    assert.equal(hidden.outcome, "not proven");
  });

  test("attack: only the end of what came after an old heads entry", async () => {
    const old = (await world.lastHeadsBelow(Number.MAX_SAFE_INTEGER))!;
    await work();
    world.lastHeadsBelow = async () => old;
    const whole = await readBundle(await answer(world, everything));
    const size = world.log.latest!.checkpoint.size;
    const { origin } = world.log;
    await world.publish("second");
    const left = await world.log.rangeProof(size, size, size);
    const end = repaired(whole, (all) =>
      all
        .filter(({ type, bytes }) => {
          if (type === memberTypes.rangeProof) return parseRangeProof(bytes).origin !== origin;
          return type !== memberTypes.entries || parseEntries(bytes).origin !== origin;
        })
        .concat({
          type: memberTypes.rangeProof,
          bytes: rangeProofMember({ origin, from: size, to: size, size, ...left }).bytes,
        }),
    );
    assert.deepEqual(failed(await verifyBundle({ bundle: end, trust: world.trust })), ["heads"]);
  });

  test("attack: a leaf that the heads tree does not hold, or that is another ledger's", async () => {
    const whole = await readBundle(await answer(world, everything));
    const older = repaired(whole, (all) =>
      all.map((member) => {
        if (member.type !== memberTypes.headsLeaves) return member;
        const { heads, from, leaves } = parseHeadsLeaves(member.bytes);
        const lie = {
          pendingSize: 0,
          pendingRoot: emptyRoot,
          pendingNoteHash: null,
          mirroredSize: 0,
          mirroredRoot: emptyRoot,
        };
        return headsLeavesMember({
          heads,
          from,
          leaves: leaves.map((leaf) => encodeHeadLeaf({ ...decodeHeadLeaf(leaf), ...lie })),
        });
      }),
    );
    assert.deepEqual(failed(await verifyBundle({ bundle: older, trust: world.trust })), ["every ledger accounted for"]);
    world.lies.set(device.origin, { origin: `plane.test/d/${"f".repeat(32)}/0` });
    await world.seal();
    assert.deepEqual(failed(await judge(world)), ["every ledger accounted for"]);
  });

  test("statements after the last heads are shown, and hide nothing", async () => {
    await world.publish("second");
    // As a plane seals when no head has moved: nothing but statements since.
    const heads = world.lastHeadsBelow.bind(world);
    await world.seal();
    const report = await judge(world);
    assert.equal(explain(report), "");
    assert.ok((await heads(world.log.size)) !== undefined);
  });

  test("attack: a device's genesis enrolled under keys of the plane's own", async () => {
    const { key } = noteSignerFromPem("plane.test", 1, generatePrivateKeyPem("ed25519"));
    const other = await world.enrol(() => ({ keySet: [{ type: key.type, publicKey: key.publicKey }] }));
    await world.load(other, model);
    await world.sync(other);
    assert.deepEqual(failed(await judge(world)), ["device checkpoint"]);
  });

  test("attack: a device enrolled with one of its two keys, so that one stolen key is enough", async () => {
    const other = await world.enrol((keySet) => ({ keySet: keySet.slice(0, 1) }));
    await world.load(other, model);
    await world.sync(other);
    const report = await judge(world);
    assert.deepEqual(failed(report), ["device checkpoint"]);
    assert.match(explain(report), /the trust file asks for ml-dsa-44/);
  });

  test("attack: a device enrolled with another device's first entry", async () => {
    const genesisHash = await device.ledger.leafHash(0);
    const other = await world.enrol(() => ({ genesisHash }));
    await world.load(other, model);
    await world.sync(other);
    assert.deepEqual(failed(await judge(world)), ["genesis"]);
  });

  test("attack: two devices on one name, and a device under a name that is not its own", async () => {
    await world.enrol(() => ({ origin: device.origin }));
    await world.seal();
    assert.match(explain(await judge(world)), /fleet log .*is not the name of epoch 0 of device/);
  });

  test("attack: a device admitted twice, so that an empty ledger stands for it", async () => {
    await world.tell({
      kind: "enrol",
      deviceId: device.id,
      epoch: 0,
      origin: device.origin,
      genesisHash: randomBytes(32),
      keySet: device.keySet,
    });
    await world.seal();
    assert.match(explain(await judge(world)), /fleet log .*a second time/);
  });

  test("attack: an epoch that goes back", async () => {
    const origin = `plane.test/d/${device.id}/0`;
    const { keySet, id: deviceId } = device;
    await world.tell({ kind: "epoch", deviceId, epoch: 0, origin, genesisHash: randomBytes(32), keySet });
    await world.seal();
    assert.match(explain(await judge(world)), /fleet log .*begins epoch 0/);
  });

  test("attack: other keys for a device, after the fact or without the device's word", async () => {
    const { key } = noteSignerFromPem(device.origin, 1, generatePrivateKeyPem("ed25519"));
    const keySet = [{ type: key.type, publicKey: key.publicKey }];
    await world.tell({ kind: "keys", origin: device.origin, fromSize: device.mirroredSize + 1, keySet });
    await world.seal();
    assert.equal(explain(await judge(world)), "");
    await work();
    assert.deepEqual(failed(await judge(world)), ["device checkpoint"]);

    await world.tell({ kind: "keys", origin: device.origin, fromSize: 0, keySet: device.keySet });
    await world.seal();
    assert.match(explain(await judge(world)), /fleet log .*after the fact/);
  });

  test("attack: keys that the device holds, but that its old keys never handed over to", async () => {
    await world.tell({ kind: "keys", origin: device.origin, fromSize: 2, keySet: device.keySet });
    await world.seal();
    const report = await judge(world);
    assert.deepEqual(failed(report), ["key rotation"]);
    assert.equal(report.outcome, "not proven");
  });

  test("keys that the old ones handed over to, in a checkpoint signed with both, are the device's", async () => {
    const size = device.mirroredSize;
    await world.tell({ kind: "keys", origin: device.origin, fromSize: size, keySet: device.keySet.toReversed() });
    await world.seal();
    assert.equal(explain(await judge(world)), "");
  });

  test("attack: a compromise taken back by a later revocation", async () => {
    await world.revoke(device, Date.UTC(2026, 0, 1));
    await world.revoke(device, Date.UTC(2026, 11, 1));
    const report = await judge(world);
    assert.equal(explain(report), "");
    assert.deepEqual(new Set(report.answer!.records.map(({ standing }) => standing)), new Set(["key revoked"]));
    await world.revoke(device, null);
    await world.revoke(device, Date.UTC(2026, 11, 1));
    const last = await judge(world);
    assert.equal(last.answer!.ledgers[0]!.keyRevoked, 3);
    assert.equal(last.answer!.ledgers[0]!.standing, "keys revoked");
  });

  test("attack: heads of before a compromise, which nobody has seen signed before it", async () => {
    const before = world.nowMs + hour / 2;
    await work();
    await world.revoke(device, before);
    const honest = await readBundle(await answer(world, everything));
    const standings = async (bundle: Uint8Array) => {
      const report = await verifyBundle({ bundle, trust: world.trust });
      assert.equal(explain(report), "");
      return report.answer!.records.filter(({ standing }) => standing === "key revoked").length;
    };
    assert.equal(await standings(repaired(honest, (all) => all)), 3);
    const notes = honest.members.filter(({ type }) => type === memberTypes.deviceCheckpoint);
    assert.ok(notes.length > 1);
    const newest = notes.reduce((a, b) => (a.place.index > b.place.index ? a : b));
    const without = repaired(honest, (all) =>
      all.filter((member) => member.type !== memberTypes.deviceCheckpoint || member.bytes === newest.bytes),
    );
    const report = await verifyBundle({ bundle: without, trust: world.trust });
    assert.equal(report.answer!.records.filter(({ standing }) => standing === "key revoked").length, 6);
  });

  test("attack: a fleet log rewritten since an earlier heads entry", async () => {
    world.fleetLie = asRootHash(randomBytes(32));
    world.pass(hour);
    await world.infer(device);
    await world.sync(device);
    world.fleetLie = undefined;
    await work();
    assert.match(explain(await judge(world)), /fleet log .*it was rewritten/);
  });

  test("attack: a fleet checkpoint of another size, and entries that the fleet log does not hold", async () => {
    const old = (await world.fleetNote(world.fleet.latest!.checkpoint.size))!;
    await world.enrol();
    await world.seal();
    const honest = await readBundle(await answer(world, everything));
    const swapped = repaired(honest, (all) =>
      all.map(({ type, bytes }) => ({ type, bytes: type === memberTypes.fleetCheckpoint ? old : bytes })),
    );
    assert.match(
      explain(await verifyBundle({ bundle: swapped, trust: world.trust })),
      /fleet log .*not the one that the heads/,
    );
    const decommission = { kind: "decommission", time: 0, origin: device.origin, statement: null } as const;
    const other = repaired(honest, (all) =>
      all.map((member) => {
        if (member.type !== memberTypes.fleetEntries) return member;
        const { from, items } = parseFleetEntries(member.bytes);
        return fleetEntriesMember(from, [...items.slice(0, -1), encodeEntry(decommission)]);
      }),
    );
    assert.match(
      explain(await verifyBundle({ bundle: other, trust: world.trust })),
      /fleet log .*do not give the root/,
    );
  });

  test("attack: an entry of the fleet log that this version cannot read may change everything", async () => {
    await world.fleet.append(Uint8Array.of(0xa2, 0x00, 0x18, 0xc8, 0x01, 0x01)).committed;
    await world.seal();
    assert.deepEqual(failed(await judge(world)), ["fleet log understood"]);
  });

  test("attack: a receipt for a ledger that was never admitted, or for what is no record, proves nothing", async () => {
    const honest = await readBundle(await answer(world, { kind: "record", origin: device.origin, index: 2 }));
    for (const question of [
      { kind: "record", origin: `plane.test/d/${"0".repeat(32)}/0`, index: 2 },
      { kind: "record", origin: device.origin, index: 1 },
      { kind: "record", origin: device.origin, index: 3 },
    ] as const) {
      const bundle = repaired({ ...honest, question }, (all) => all);
      assert.ok(failed(await verifyBundle({ bundle, trust: world.trust })).includes("record"));
    }
  });

  test("attack: a question about a device that was never admitted does not show that it made no records", async () => {
    const devices = ["0".repeat(32)];
    const bundle = await answer(world, { ...everything, devices } as Question);
    const report = await verifyBundle({ bundle, trust: world.trust });
    assert.deepEqual(failed(report), ["device"]);
    assert.equal(report.outcome, "not proven");
  });
});
