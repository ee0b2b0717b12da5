import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { advanceRun, decodeEntry, type Event, eventCodes, type RunState } from "@tally/evidence";
import type { Clock } from "@tally/ledger";
import { type Device, openDevice } from "../device.ts";
import { enrolledFolder, temporaryFolder } from "../testing/device-folders.ts";
import { ClockWatch, clockStepMs } from "./clock-watch.ts";

const root = await temporaryFolder(after);
const year = 365 * 86_400_000;

/** A clock that can be set, beside time that only passes. */
class SettableClock implements Clock {
  #passed = 1_000_000;
  #set: number;

  constructor(at: number) {
    this.#set = at - this.#passed;
  }

  now(): number {
    return this.#set + this.#passed;
  }

  monotonic(): number {
    return this.#passed;
  }

  pass(ms: number): void {
    this.#passed += ms;
  }

  step(ms: number): void {
    this.#set += ms;
  }
}

const start = Date.UTC(2026, 0, 1);

async function stepsOf({ core: { ledger } }: Device): Promise<{ index: number; fields: Event["fields"] }[]> {
  await ledger.flush();
  const steps: { index: number; fields: Event["fields"] }[] = [];
  let run: RunState | undefined;
  let index = 0;
  for await (const bytes of ledger.entries(0, ledger.size)) {
    const entry = decodeEntry(bytes);
    run = advanceRun(run, entry);
    if (entry.kind === "event" && entry.code === eventCodes["clock-step"]) steps.push({ index, fields: entry.fields });
    index += 1;
  }
  return steps;
}

test("a clock that jumps years both ways: the device goes on, and each jump is an event behind the first entry of the new time", async () => {
  const clock = new SettableClock(start);
  const dir = await enrolledFolder(join(root, "jumps"), {}, undefined, clock);
  const device = await openDevice({ dir, clock });
  const model = await device.declare({ grade: "declared", runtime: "test", provider: "none" });
  const record = async () => (await device.record({ model, input: "in", output: "out" })).index;
  await record();
  const expected: [number, number][] = [];
  for (const jump of [10 * year, -30 * year, 20 * year, -61_000, 3_600_000]) {
    clock.pass(5_000);
    clock.step(jump);
    expected.push([(await record()) + 1, jump]);
    await record();
  }
  const steps = await stepsOf(device);
  assert.deepEqual(
    steps.map(({ index, fields }) => [index, fields.get(0)]),
    expected,
  );
  assert.ok(steps.every(({ fields }) => fields.get(1) === 0));
  await device.close();
});

test("time that passes, a pause of months and a clock that is moved slowly are no steps", async () => {
  const clock = new SettableClock(start);
  const dir = await enrolledFolder(join(root, "pauses"), {}, undefined, clock);
  const device = await openDevice({ dir, clock });
  const model = await device.declare({ grade: "declared", runtime: "test", provider: "none" });
  for (const pause of [0, 1_000, 90 * 86_400_000, 5, year]) {
    clock.pass(pause);
    clock.step(-500);
    await device.record({ model, input: "in", output: "out" });
  }
  assert.deepEqual(await stepsOf(device), []);
  await device.close();
});

test("a clock that went back while the device was off is noticed at the next start", async () => {
  const clock = new SettableClock(start);
  const dir = await enrolledFolder(join(root, "off"), {}, undefined, clock);
  await (await openDevice({ dir, clock })).close();
  const device = await openDevice({ dir, clock: new SettableClock(start - year) });
  const [step, ...more] = await stepsOf(device);
  assert.deepEqual(more, []);
  assert.equal(step?.fields.get(1), 1);
  assert.equal(step?.fields.get(0), -year);
  await device.close();
});

test("a step is given until it is told, and the threshold itself is none", () => {
  const clock = new SettableClock(start);
  const watch = new ClockWatch(clock);
  assert.equal(watch.look(clock.now()), undefined);
  clock.step(clockStepMs);
  assert.equal(watch.look(clock.now()), undefined);
  clock.step(clockStepMs + 1);
  assert.equal(watch.look(clock.now())?.stepMs, clockStepMs + 1);
  assert.equal(watch.look(clock.now())?.stepMs, clockStepMs + 1);
  watch.told();
  assert.equal(watch.look(clock.now()), undefined);
});
