import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { decodeEntry } from "@tally/evidence";
import { syncRound } from "../agent/sync-loop.ts";
import { type Device, openDevice } from "../device.ts";
import { temporaryFolder } from "../testing/device-folders.ts";
import { enrolDevice } from "../testing/loopback-device.ts";
import { LoopbackPlane } from "../testing/loopback-plane.ts";

const root = await temporaryFolder(after);
const plane = await LoopbackPlane.open(join(root, "plane"));
after(() => plane.close());

const clock = { at: Date.now(), now: () => clock.at };

async function open(name: string): Promise<Device> {
  return openDevice({ dir: await enrolDevice(plane, join(root, name), { anchorEveryMs: 10_000 }), clock });
}

async function kindsFrom({ core: { ledger } }: Device, from: number): Promise<string[]> {
  const kinds: string[] = [];
  for await (const bytes of ledger.entries(from, ledger.size)) kinds.push(decodeEntry(bytes).kind);
  return kinds;
}

test("an idle device's ledger does not grow as its agent syncs, until its anchor is old", async () => {
  const device = await open("idle");
  const first = await syncRound(device, "when-due");
  assert.deepEqual((await kindsFrom(device, 0)).slice(-2), ["anchor", "summary"]);
  clock.at += 9_999;
  const second = await syncRound(device, "when-due");
  assert.deepEqual([second.mirrored, second.sent], [first.mirrored, 0]);
  assert.equal(device.core.ledger.nextIndex, first.mirrored);
  clock.at += 1;
  const third = await syncRound(device, "when-due");
  assert.deepEqual(await kindsFrom(device, first.mirrored), ["anchor", "summary"]);
  assert.equal(third.mirrored, first.mirrored + 2);
  await device.close();
});

test("what was recorded is anchored by the next sync, and a sync that was asked for always anchors", async () => {
  const device = await open("busy");
  const { mirrored } = await device.sync("when-due");
  const model = await device.declare({ grade: "named", runtime: "r", provider: "p" });
  await device.record({ model, input: "a", output: "b" });
  const next = await device.sync("when-due");
  assert.deepEqual(await kindsFrom(device, mirrored), ["load", "inference", "anchor", "summary"]);
  const quiet = device.sync("when-due");
  const asked = await device.sync();
  assert.equal((await quiet).mirrored, next.mirrored);
  assert.deepEqual(await kindsFrom(device, next.mirrored), ["anchor", "summary"]);
  assert.equal(asked.mirrored, next.mirrored + 2);
  await device.close();
});

test("a clock that was set back does not keep a ledger from being anchored", async () => {
  const device = await open("set back");
  const { mirrored } = await device.sync("when-due");
  clock.at -= 1;
  assert.equal((await device.sync("when-due")).mirrored, mirrored + 2);
  await device.close();
});
