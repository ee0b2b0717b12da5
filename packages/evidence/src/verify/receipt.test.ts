import assert from "node:assert/strict";
import { test } from "node:test";
import type { LoadCount } from "../entries/index.ts";
import { Checklist } from "./check.ts";
import type { DeviceLedger } from "./device-ledger.ts";
import { findReceipt } from "./receipt.ts";
import type { ProvenEntry } from "./slice.ts";

type Loads = readonly (readonly [loadIndex: number, count: number, unloadIndex: number | null])[];
const counts = (loads: Loads): LoadCount[] =>
  loads.map(([loadIndex, count, unloadIndex]) => ({ loadIndex, count, unloadIndex }));
const load = { kind: "load", outcome: "accepted", manifest: null, grade: "named" };
const refused = { ...load, outcome: "refused" };
const record = (loadIndex: number, ordinal: number) => ({
  kind: "inference",
  loadIndex,
  ordinal,
  time: 0,
  durationMicros: 0,
});
const summary = (runStart: number, ...loads: Loads) => ({ kind: "summary", runStart, loads: counts(loads) });
const restart = (previousRun: number, ...closing: Loads) => ({
  kind: "restart",
  previousRun,
  closing: counts(closing),
});

/** What comes of a receipt for entry 20 of a ledger that shows these entries. */
function judge(entries: Readonly<Record<number, object>>): string {
  const shown = Object.entries(entries).map(([index, entry]) => [Number(index), { index: Number(index), entry }]);
  const ledger = {
    enrolment: { origin: "d", revoked: undefined },
    entries: new Map(shown as unknown as [number, ProvenEntry][]),
  } as unknown as DeviceLedger;
  const checklist = new Checklist();
  const bracket = { notBefore: null, notAfter: null };
  const timeline = { anchors: [], heads: [], bracket: () => bracket };
  const found = findReceipt({ kind: "record", origin: "d", index: 20 }, ledger, timeline, checklist);
  const [check] = checklist.checks;
  assert.equal(found?.pages.count ?? 0, check?.result === "good" ? 1 : 0);
  return `${check?.result}: ${check?.reason}`;
}

test("the next summary, or the closing list of the run, confirms a record", () => {
  assert.match(judge({ 12: load, 20: record(12, 3), 30: summary(10, [12, 9, null]) }), /^good: number 3 under load 12/);
  assert.match(judge({ 12: load, 20: record(12, 3), 30: summary(10, [11, 0, null], [12, 9, 25]) }), /^good/);
  assert.match(judge({ 12: load, 20: record(12, 7), 30: restart(10, [12, 8, null]) }), /^good/);
  const later = { 30: summary(10, [12, 9, null]), 40: summary(35, [36, 1, null]) };
  assert.match(
    judge({ 12: load, 20: record(12, 3), ...later }),
    /^good/,
    "the first that follows is the one that counts",
  );
});

test("what a receipt lacks is not proven", () => {
  assert.match(judge({}), /^not made: .*entry 20/);
  assert.match(judge({ 20: record(12, 0), 30: summary(10, [12, 1, null]) }), /^not made: .*load 12/);
  assert.match(judge({ 12: load, 20: record(12, 0) }), /^not made: no summary/);
  assert.match(judge({ 12: load, 20: record(12, 0), 15: summary(10, [12, 0, null]) }), /^not made: no summary/);
});

test("attack: loads that were refused, come later, are none, were let go, or are of another run", () => {
  const closed = { 30: summary(10, [12, 9, null]) };
  assert.match(judge({ 12: refused, 20: record(12, 0), ...closed }), /^bad: .*refused/);
  assert.match(judge({ 12: record(1, 1), 20: record(12, 0), ...closed }), /^bad: .*which is inference/);
  assert.match(judge({ 25: load, 20: record(25, 0), 30: summary(10, [25, 1, null]) }), /^bad: .*comes after it/);
  assert.match(judge({ 12: load, 20: record(12, 0), 30: summary(10, [12, 9, 19]) }), /^bad: .*had been unloaded/);
  assert.match(
    judge({ 12: load, 20: record(12, 0), 30: summary(10, [13, 9, null]) }),
    /^bad: .*not of the record's run/,
  );
  assert.match(
    judge({ 12: load, 20: record(12, 0), 30: restart(21, [12, 9, null]) }),
    /^bad: .*not of the record's run/,
  );
  assert.match(
    judge({ 12: load, 20: record(12, 0), 30: restart(14, [12, 9, null]) }),
    /^bad: .*not of the record's run/,
  );
  assert.match(judge({ 12: load, 20: load, ...closed }), /^bad: .*entry 20 is load/);
});

test("attack: ordinals and counts for which there is no room", () => {
  assert.match(judge({ 12: load, 20: record(12, 9), 30: summary(10, [12, 9, null]) }), /^bad: the summary counts 9/);
  assert.match(judge({ 12: load, 20: record(12, 8), 30: summary(10, [12, 9, null]) }), /^bad: no 8 records fit/);
  assert.match(judge({ 12: load, 20: record(12, 0), 30: summary(10, [12, 18, null]) }), /^bad: .*no room/);
  assert.match(judge({ 12: load, 20: record(12, 0), 30: summary(30, [12, 9, null]) }), /^bad: .*not before it/);
  assert.match(
    judge({ 12: load, 20: record(12, 0), 30: summary(10, [12, 9, null], [11, 0, null]) }),
    /^bad: .*after 12/,
  );
});
