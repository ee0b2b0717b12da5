import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { asHash, type Digest, sha256 } from "../digest.ts";
import { type Entry, maxLoadsOfRun } from "../entries/index.ts";
import { advanceRun, loadCounts, RunReplay, type RunState, RunWriter, runStateAt, summaryInterval } from "./index.ts";

const commitment = { commitment: sha256(new Uint8Array()), slot: 0 };
const checkpoint = { size: 0, root: commitment.commitment as never, noteHash: commitment.commitment };
const genesis: Entry = {
  kind: "genesis",
  time: 0,
  version: 1,
  deviceId: "00".repeat(16),
  epoch: 0,
  keySet: [{ type: 1, publicKey: new Uint8Array(32) }],
  plane: "plane.test",
  anchor: checkpoint,
  nonce: asHash(new Uint8Array(32)),
};
const load = (outcome: "accepted" | "refused" = "accepted"): Entry => ({
  kind: "load",
  time: 0,
  manifest: null,
  files: [],
  runtime: "r",
  provider: "p",
  grade: "named",
  permit: null as Digest | null,
  outcome,
  reason: 0,
});
const inference = (loadIndex: number, ordinal: number): Entry => ({
  kind: "inference",
  time: 0,
  loadIndex,
  ordinal,
  input: commitment,
  output: commitment,
  durationMicros: 0,
  captureLevel: 0,
});
const anchor: Entry = { kind: "anchor", time: 0, size: 0, root: checkpoint.root, noteHash: checkpoint.noteHash };
const summaryOf = (state: RunState): Entry => ({
  kind: "summary",
  time: 0,
  runStart: state.runStart,
  loads: loadCounts(state),
});
const restartOf = (state: RunState): Entry => ({
  kind: "restart",
  time: 0,
  tallyVersion: "0",
  runtime: "r",
  clean: true,
  previousRun: state.runStart,
  closing: loadCounts(state),
});

const steps = fc.array(
  fc.record({
    what: fc.constantFrom("load", "refused", "infer", "infer", "infer", "unload", "anchor", "summary", "restart"),
    which: fc.nat(9),
  }),
  { maxLength: 60 },
);

/** An honest ledger: what cannot be done at a moment is left out. */
function ledgerOf(list: readonly { what: string; which: number }[]): Entry[] {
  const entries: Entry[] = [genesis];
  let state = advanceRun(undefined, genesis);
  for (const { what, which } of list) {
    const open = [...state.loads].filter(([, { unloadIndex }]) => unloadIndex === null);
    const [loadIndex, progress] = open[which % Math.max(open.length, 1)] ?? [];
    let entry: Entry | undefined;
    if (what === "load") entry = load();
    else if (what === "refused") entry = load("refused");
    else if (what === "anchor") entry = anchor;
    else if (what === "summary") entry = summaryOf(state);
    else if (what === "restart") entry = restartOf(state);
    else if (loadIndex !== undefined && progress !== undefined) {
      entry =
        what === "infer" ? inference(loadIndex, progress.count) : { kind: "unload", time: 0, loadIndex, reason: 0 };
    }
    if (entry === undefined) continue;
    state = advanceRun(state, entry);
    entries.push(entry);
  }
  return [...entries, summaryOf(state)];
}

function replay(entries: readonly Entry[], start?: RunState): void {
  const run = new RunReplay(start);
  for (const entry of entries) run.take(entry);
}

/** Lies about one entry, as many as its kind has room for. */
function liesAbout(entry: Entry): readonly Entry[] {
  const wrong = <T extends { loadIndex: number; count: number; unloadIndex: number | null }>(loads: readonly T[]) => [
    [...loads, { loadIndex: 1_000_000, count: 0, unloadIndex: null }],
    ...loads.flatMap((item, i) => [
      loads.filter((_, k) => k !== i),
      loads.with(i, { ...item, count: item.count + 1 }),
      loads.with(i, { ...item, loadIndex: item.loadIndex + 1 }),
      loads.with(i, { ...item, unloadIndex: item.unloadIndex === null ? item.loadIndex + 1 : null }),
    ]),
    ...(loads.length > 1 ? [loads.toReversed()] : []),
  ];
  switch (entry.kind) {
    case "inference":
      return [
        { ...entry, ordinal: entry.ordinal + 1 },
        ...(entry.ordinal > 0 ? [{ ...entry, ordinal: entry.ordinal - 1 }] : []),
        { ...entry, loadIndex: 1_000_000 },
        { ...entry, loadIndex: 0 },
      ];
    case "summary":
      return [{ ...entry, runStart: entry.runStart + 1 }, ...wrong(entry.loads).map((loads) => ({ ...entry, loads }))];
    case "restart":
      return [
        { ...entry, previousRun: entry.previousRun + 1 },
        ...wrong(entry.closing).map((closing) => ({ ...entry, closing })),
      ];
    case "unload":
      return [{ ...entry, loadIndex: 1_000_000 }];
    case "genesis":
      return [anchor, load()];
    default:
      return [genesis];
  }
}

test("an honest ledger is accepted, from its beginning and from every summary and restart in it", () => {
  fc.assert(
    fc.property(steps, (list) => {
      const entries = ledgerOf(list);
      replay(entries);
      entries.forEach((entry, at) => {
        if (entry.kind === "summary" || entry.kind === "restart") replay(entries.slice(at + 1), runStateAt(at, entry));
      });
    }),
  );
});

test("a replay comes to what one entry after the other comes to, and changes no state it was given", () => {
  fc.assert(
    fc.property(steps, (list) => {
      const entries = ledgerOf(list);
      const states: RunState[] = [];
      for (const entry of entries) states.push(advanceRun(states.at(-1), entry));
      const copies = structuredClone(states);
      states.forEach((state, at) => {
        replay(entries.slice(at + 1), state);
      });
      assert.deepEqual(states, copies);
    }),
    { numRuns: 40 },
  );
});

test("any ordinal, load, summary or closing list that is changed is refused, at that entry", () => {
  fc.assert(
    fc.property(steps, fc.nat(), fc.nat(), (list, place, which) => {
      const entries = ledgerOf(list);
      const at = place % entries.length;
      const lies = liesAbout(entries[at]!);
      const lie = lies[which % lies.length]!;
      assert.throws(() => replay(entries.with(at, lie)), { code: "run-broken", message: new RegExp(`^entry ${at}: `) });
    }),
    { numRuns: 400 },
  );
});

test("an entry that is left out or told twice is refused where anything counts it", () => {
  fc.assert(
    fc.property(steps, fc.nat(), (list, place) => {
      const entries = ledgerOf(list);
      const records = entries.flatMap(({ kind }, i) => (kind === "inference" || kind === "load" ? [i] : []));
      fc.pre(records.length > 0);
      const at = records[place % records.length]!;
      const entry = entries[at]!;
      if (entry.kind === "inference") {
        assert.throws(() => replay(entries.toSpliced(at, 1)), { code: "run-broken" });
        assert.throws(() => replay(entries.toSpliced(at, 0, entry)), { code: "run-broken" });
      }
    }),
  );
});

test("a summary is never overdue by one", () => {
  const quiet = Array.from({ length: summaryInterval }, () => anchor);
  replay([genesis, ...quiet]);
  assert.throws(() => replay([genesis, ...quiet, anchor]), { code: "run-broken", message: /no summary/ });
});

test("a run holds as many loads as a summary can list, and not one more", () => {
  const entries: Entry[] = [genesis];
  let state = advanceRun(undefined, genesis);
  for (let i = 0; i < maxLoadsOfRun; i += 1) {
    entries.push(load());
    state = advanceRun(state, load());
  }
  assert.throws(() => advanceRun(state, load()), { code: "run-broken", message: /2048 loads already/ });
  assert.equal(advanceRun(state, load("refused")).loads.size, maxLoadsOfRun);
});

test("what a summary states about entries that are not at hand has to be possible", () => {
  const state = (runStart: number, ...loads: readonly (readonly [number, number | null])[]) =>
    runStateAt(100, {
      kind: "summary",
      time: 0,
      runStart,
      loads: loads.map(([loadIndex, unloadIndex]) => ({ loadIndex, count: 1, unloadIndex })),
    });
  assert.equal(state(10, [11, null], [12, 50]).loads.size, 2);
  for (const impossible of [
    () => state(100),
    () => state(10, [10, null]),
    () => state(10, [100, null]),
    () => state(10, [12, null], [11, null]),
    () => state(10, [11, null], [11, null]),
    () => state(10, [12, 12]),
    () => state(10, [12, 100]),
    () => runStateAt(3, anchor),
  ]) {
    assert.throws(impossible, { code: "run-broken" });
  }
});

test("who writes a run counts what was written, and nothing of what was only to be written", () => {
  fc.assert(
    fc.property(steps, fc.array(fc.nat(9), { minLength: 1 }), (list, lost) => {
      const [first, ...rest] = ledgerOf(list);
      let state = advanceRun(undefined, first!);
      const run = new RunWriter(state);
      for (const [i, entry] of rest.entries()) {
        for (let times = 0; times < lost[i % lost.length]! % 3; times++) run.prepare(entry);
        for (const lie of liesAbout(entry)) {
          assert.throws(() => run.prepare(lie), { code: "run-broken" });
          if (lie.kind !== "inference") continue;
          assert.throws(() => run.prepareRecord(lie.loadIndex, lie.ordinal), { code: "run-broken" });
        }
        assert.deepEqual(run.state, state);
        if (entry.kind === "inference") run.prepareRecord(entry.loadIndex, entry.ordinal);
        else run.prepare(entry);
        run.advance();
        state = advanceRun(state, entry);
        assert.deepEqual(run.state, state);
      }
    }),
  );
});

test("what was refused is not counted by advancing", () => {
  const start = advanceRun(undefined, genesis);
  const run = new RunWriter(start);
  run.prepare(anchor);
  assert.throws(() => run.prepare(inference(7, 0)), { code: "run-broken" });
  run.advance();
  assert.deepEqual(run.state, start);
});

test("records taken by their place alone come to the same state and are refused with the same words", () => {
  fc.assert(
    fc.property(steps, fc.nat(), fc.nat(), (list, where, which) => {
      const entries = ledgerOf(list);
      const at = where % entries.length;
      const lies = liesAbout(entries[at]!);
      for (const told of [entries, entries.with(at, lies[which % lies.length]!)]) {
        const [whole, places] = [new RunReplay(), new RunReplay()];
        for (const entry of told) {
          const results = [whole, places].map((run) => {
            try {
              if (run === places && entry.kind === "inference") run.takeRecord(entry.loadIndex, entry.ordinal);
              else run.take(entry);
              return { state: run.state, next: run.next };
            } catch (error) {
              return (error as Error).message;
            }
          });
          assert.deepEqual(results[0], results[1]);
          if (typeof results[0] === "string") break;
        }
      }
    }),
  );
  assert.throws(() => new RunReplay().takeRecord(1, 0), /begins with inference/);
});
