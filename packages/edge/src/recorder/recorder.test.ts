import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { advanceRun, commit, decodeEntry, type Entry, type RunState, sha256 } from "@tally/evidence";
import { systemClock } from "@tally/ledger";
import { canonicalContent } from "../content.ts";
import type { DeviceCore } from "../device-core.ts";
import { EdgeError } from "../error.ts";
import { closeCore, openCore } from "../open-core.ts";
import { enrolledFolder, temporaryFolder } from "../testing/device-folders.ts";
import { recordOutput } from "./record-output.ts";
import type { LiveLoad, LoadFields, RecordPlace } from "./recorder.ts";

const root = await temporaryFolder(after);

const declared: LoadFields = {
  manifest: null,
  files: [],
  runtime: "test",
  provider: "cpu",
  grade: "declared",
  permit: null,
  outcome: "accepted",
  reason: 0,
};

async function open(dir: string, config = {}): Promise<DeviceCore> {
  return openCore({ dir, config, clock: systemClock });
}

/** Lets go of the folder as a killed process does: without the mark of a clean stop. */
async function abandon({ ledger, salts, payloads }: DeviceCore): Promise<void> {
  await Promise.all([ledger.close(), salts.close(), payloads.close()]);
}

async function entriesOf({ ledger }: DeviceCore): Promise<Entry[]> {
  await ledger.flush();
  const entries: Entry[] = [];
  for await (const bytes of ledger.entries(0, ledger.size)) entries.push(decodeEntry(bytes));
  return entries;
}

/** What the plane does with every device: a ledger that breaks a rule of runs throws here. */
function checkRuns(entries: readonly Entry[]): RunState {
  let state: RunState | undefined;
  for (const entry of entries) state = advanceRun(state, entry);
  assert.ok(state !== undefined);
  return state;
}

const asPlace = (place: RecordPlace) => place;

function say(core: DeviceCore, load: LiveLoad, text: string) {
  const content = canonicalContent(text);
  return recordOutput(core, { load, input: content, output: content, durationMicros: 5 }, asPlace);
}

test("index and ordinal are given together, per load, however records interleave", async () => {
  const core = await open(await enrolledFolder(join(root, "interleaved")));
  const loads = [core.recorder.load(declared), core.recorder.load(declared)];
  const places = await Promise.all(Array.from({ length: 200 }, (_, i) => say(core, loads[i % 2]!, `${i}`)));
  for (const [i, load] of loads.entries()) {
    const own = places.filter(({ loadIndex }) => loadIndex === load.index).sort((a, b) => a.index - b.index);
    assert.deepEqual(
      own.map(({ ordinal }) => ordinal),
      own.map((_, at) => at),
      `load ${i}`,
    );
  }
  checkRuns(await entriesOf(core));
  await closeCore(core);
});

test("an entry that is too large consumes neither index nor ordinal", async () => {
  const core = await open(await enrolledFolder(join(root, "oversize")));
  const load = core.recorder.load(declared);
  await say(core, load, "before");
  const { next } = core.recorder.run;
  const fields = new Map([[0, new Uint8Array(70_000)]]);
  assert.throws(
    () => core.recorder.note({ kind: "event", code: 1, fields }),
    (error) => error instanceof EdgeError && error.code === "entry-too-large",
  );
  const content = canonicalContent("x");
  const parents = [{ origin: "", index: 0, leaf: await core.ledger.leafHash(0) }];
  await assert.rejects(
    recordOutput(core, { load, input: content, output: content, durationMicros: 1, parents }, asPlace),
    (error) => error instanceof EdgeError && error.code === "content-invalid",
  );
  assert.equal(core.recorder.run.next, next);
  const place = await say(core, load, "after");
  assert.deepEqual([place.index, place.ordinal], [next, 1]);
  await closeCore(core);
});

test("a summary stands at least every 4,096 entries", async () => {
  const core = await open(await enrolledFolder(join(root, "summaries")));
  const load = core.recorder.load(declared);
  for (let i = 0; i < 9; i++) await Promise.all(Array.from({ length: 1000 }, (_, k) => say(core, load, `${i}.${k}`)));
  const entries = await entriesOf(core);
  checkRuns(entries);
  const stating = entries.flatMap(({ kind }, index) =>
    ["genesis", "restart", "summary"].includes(kind) ? [index] : [],
  );
  assert.ok(stating.length >= 4);
  stating.reduce((from, to) => {
    assert.ok(to - from <= 4096);
    return to;
  });
  await closeCore(core);
});

test("at 2,048 loads a new run begins, and a model in use gets a load of its own there", async () => {
  const core = await open(await enrolledFolder(join(root, "runs")));
  const kept = core.recorder.load(declared);
  await say(core, kept, "in the first run");
  for (let i = 0; i < 2047; i++) {
    const load = core.recorder.load(declared);
    core.recorder.unload(load, 0);
  }
  const first = kept.index;
  core.recorder.load(declared);
  const place = await say(core, kept, "in the second run");
  assert.notEqual(place.loadIndex, first);
  assert.equal(place.ordinal, 0);
  const entries = await entriesOf(core);
  checkRuns(entries);
  const restarts = entries.filter(({ kind }) => kind === "restart");
  assert.equal(restarts.length, 2);
  assert.equal(restarts[1]?.kind === "restart" && restarts[1].closing.length, 2048);
  await closeCore(core);
});

test("a restart states what the run before held, and whether it stopped cleanly", async () => {
  const dir = await enrolledFolder(join(root, "restart"));
  const first = await open(dir);
  const load = first.recorder.load(declared);
  await Promise.all([say(first, load, "a"), say(first, load, "b")]);
  await closeCore(first);
  const second = await open(dir);
  const last = (await entriesOf(second)).at(-1);
  assert.ok(last?.kind === "restart");
  assert.equal(last.clean, true);
  assert.deepEqual(last.closing, [{ loadIndex: load.index, count: 2, unloadIndex: null }]);
  assert.match(last.runtime, /^node \d+/);
  checkRuns(await entriesOf(second));
  await abandon(second);
  const third = await open(dir);
  const after = (await entriesOf(third)).at(-1);
  assert.equal(after?.kind === "restart" && after.clean, false);
  await closeCore(third);
});

test("a commitment opens with the salt in its slot, and not with another", async () => {
  const core = await open(await enrolledFolder(join(root, "salts")));
  const load = core.recorder.load(declared);
  const { index } = await say(core, load, "secret");
  const entry = decodeEntry(await core.ledger.entry(index));
  assert.ok(entry.kind === "inference");
  const { mediaType, bytes } = canonicalContent("secret");
  const open_ = async (slot: number) =>
    commit({ role: "output", mediaType, salt: (await core.salts.read(slot))!, content: sha256(bytes) });
  assert.deepEqual(await open_(entry.output.slot), entry.output.commitment);
  assert.notDeepEqual(await open_(entry.input.slot), entry.output.commitment);
  await closeCore(core);
});

test("sealed mode releases an output only under a signed checkpoint that covers it", async () => {
  const core = await open(await enrolledFolder(join(root, "sealed")), { release: "sealed" });
  const load = core.recorder.load(declared);
  for (let i = 0; i < 3; i++) {
    const { index } = await say(core, load, `${i}`);
    assert.ok((core.ledger.latest?.checkpoint.size ?? 0) > index);
  }
  await closeCore(core);
});

test("a ledger is signed without anyone asking once enough has gathered", async () => {
  const core = await open(await enrolledFolder(join(root, "due")), { sealEveryEntries: 10 });
  const load = core.recorder.load(declared);
  const before = core.ledger.latest?.checkpoint.size ?? 0;
  for (let i = 0; i < 40; i++) await say(core, load, `${i}`);
  assert.ok((core.ledger.latest?.checkpoint.size ?? 0) > before);
  await closeCore(core);
});

test("after an unclean stop in immediate mode a gap says how many records may be missing", async () => {
  const dir = await enrolledFolder(join(root, "immediate"), { release: "immediate" });
  const first = await open(dir);
  const load = first.recorder.load(declared);
  const places = await Promise.all(Array.from({ length: 3000 }, (_, i) => say(first, load, `${i}`)));
  assert.equal(places.length, 3000);
  await abandon(first);
  const second = await open(dir);
  const entries = await entriesOf(second);
  const [restart, gap] = entries.slice(-2);
  assert.equal(restart?.kind, "restart");
  assert.ok(gap?.kind === "gap");
  assert.equal(gap.atMost, 1024);
  assert.deepEqual([gap.from, gap.to], [entries.length - 3, entries.length - 2]);
  await closeCore(second);
  const third = await open(dir);
  assert.equal((await entriesOf(third)).at(-1)?.kind, "restart");
  await closeCore(third);
});

test("two cannot open one device", async () => {
  const dir = await enrolledFolder(join(root, "locked"));
  const core = await open(dir);
  await assert.rejects(open(dir), (error) => error instanceof EdgeError && error.code === "device-locked");
  await closeCore(core);
});

test("a folder that was never enrolled says what to do", async () => {
  await assert.rejects(
    open(join(root, "nothing")),
    (error) => error instanceof EdgeError && error.code === "not-enrolled" && /enroll/.test(error.hint ?? ""),
  );
});
