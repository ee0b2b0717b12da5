import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RecordsQuestion } from "../bundle/index.ts";
import { Checklist } from "./check.ts";
import type { DeviceLedger } from "./device-ledger.ts";
import { checkBounds, intervalStart, standingIn } from "./interval.ts";
import { LedgerWalk } from "./ledger-walk.ts";
import { EarliestFrom, LatestBelow } from "./moments.ts";
import type { TimedAnchor, TimedHead, Timeline } from "./time-bracket.ts";

const between = (from: number, to: number): RecordsQuestion => ({
  kind: "records",
  model: null,
  from,
  to,
  devices: null,
});

function timelineOf(anchors: readonly TimedAnchor[], heads: readonly TimedHead[]): Timeline {
  const latest = new LatestBelow(anchors.map(({ index, notBefore }) => ({ at: index, time: notBefore })));
  const earliest = new EarliestFrom(heads.map(({ size, notAfter }) => ({ at: size, time: notAfter })));
  return { anchors, heads, bracket: (i) => ({ notBefore: latest.at(i), notAfter: earliest.at(i + 1) }) };
}

/** A ledger of which entries [from, to) are shown, out of `size` mirrored and `pending` signed ones. */
function ledger(from: number, to: number, size: number, pending = size, notAfter: number | null = 1000): DeviceLedger {
  const leaf = { origin: "d", pendingSize: pending, mirroredSize: size } as DeviceLedger["head"]["leaf"];
  const enrolment = { origin: "d", revoked: undefined } as DeviceLedger["enrolment"];
  const walk = new LedgerWalk({ start: 0, sizes: [] });
  return { enrolment, head: { leaf, heads: 1, position: 0, notAfter }, from, to, walk, entries: new Map() };
}

function failedOf(question: RecordsQuestion, of: DeviceLedger, timeline: Timeline): string[] {
  const checklist = new Checklist();
  checkBounds(question, of, timeline, checklist);
  return checklist.checks.filter(({ result }) => result !== "good").map(({ name }) => name);
}

const none = timelineOf([], []);
const known = timelineOf(
  [
    { index: 4, notBefore: 100 },
    { index: 8, notBefore: 200 },
  ],
  [
    { size: 5, notAfter: 150 },
    { size: 10, notAfter: 250 },
  ],
);

test("without times every entry may be of the interval, and has to be shown", () => {
  assert.deepEqual(failedOf(between(1, 2), ledger(0, 10, 10), none), []);
  assert.deepEqual(failedOf(between(1, 2), ledger(1, 10, 10), none), ["interval start"]);
  assert.deepEqual(failedOf(between(1, 2), ledger(0, 9, 10), none), ["interval end"]);
});

test("what heads prove to be older and anchors to be younger may be left out, and not one entry more", () => {
  assert.deepEqual(failedOf(between(150, 1000), ledger(5, 10, 10), known), []);
  assert.deepEqual(failedOf(between(150, 1000), ledger(6, 10, 10), known), ["interval start"]);
  assert.deepEqual(failedOf(between(149, 1000), ledger(5, 10, 10), known), ["interval start"]);
  assert.deepEqual(failedOf(between(1, 200), ledger(0, 9, 10), known), []);
  assert.deepEqual(failedOf(between(1, 200), ledger(0, 8, 10), known), ["interval end"], "the anchor itself is shown");
  assert.deepEqual(failedOf(between(1, 201), ledger(0, 9, 10), known), ["interval end"]);
});

test("entries that are signed and not delivered are missed unless they are proven to be outside", () => {
  assert.deepEqual(failedOf(between(1, 2), ledger(0, 10, 10, 12), none), ["delivered"]);
  assert.deepEqual(failedOf(between(1, 200), ledger(0, 10, 10, 12), known), [], "an anchor closes the interval");
  assert.deepEqual(failedOf(between(1000, 2000), ledger(10, 10, 10, 12), known), [], "all that was signed is older");
  assert.deepEqual(failedOf(between(999, 2000), ledger(10, 10, 10, 12), known), ["delivered"]);
  assert.deepEqual(failedOf(between(1000, 2000), ledger(10, 10, 10, 12, null), known), ["delivered"]);
});

const anchors = fc
  .array(fc.record({ index: fc.nat(20), notBefore: fc.nat(100) }), { maxLength: 5 })
  .map((list) => list.sort((a, b) => a.index - b.index));
const heads = fc.array(fc.record({ size: fc.nat(20), notAfter: fc.nat(100) }), { maxLength: 5 });

test("a record stands where its bracket puts it, and none that may be of the interval lies before its start", () => {
  fc.assert(
    fc.property(
      anchors,
      heads,
      fc.nat(20),
      fc.nat(100),
      fc.integer({ min: 1, max: 50 }),
      (before, after, i, from, length) => {
        const [question, timeline] = [between(from, from + length), timelineOf(before, after)];
        const { notBefore, notAfter } = timeline.bracket(i);
        const standing = standingIn(question, ledger(0, 20, 20), { notBefore, notAfter });
        const outside = (notAfter !== null && notAfter < from) || (notBefore !== null && notBefore >= from + length);
        const within = notBefore !== null && notAfter !== null && notBefore >= from && notAfter < from + length;
        assert.equal(standing, outside ? undefined : within ? "inside" : "possibly inside");
        if (i < intervalStart(question, timeline)) assert.ok(notAfter !== null && notAfter <= from);
      },
    ),
    { numRuns: 2000 },
  );
});

test("a bracket that straddles a bound is possibly inside", () => {
  const at = (notBefore: number | null, notAfter: number | null) =>
    standingIn(between(10, 20), ledger(0, 20, 20), { notBefore, notAfter });
  assert.equal(at(10, 19), "inside");
  for (const [before, after] of [
    [9, 19],
    [10, 20],
    [null, 19],
    [10, null],
    [null, null],
  ] as const) {
    // biome-ignore format: pairs
    assert.equal(at(before, after), "possibly inside");
  }
  assert.equal(at(1, 9), undefined);
  assert.equal(at(20, 30), undefined);
});

test("under a revoked key a record counts only if it is proven older than the compromise", () => {
  const revoked = (compromiseTime: number | null) => {
    const whole = ledger(0, 20, 20);
    return { ...whole, enrolment: { ...whole.enrolment, revoked: { compromiseTime } } } as DeviceLedger;
  };
  const question = between(1, 100);
  assert.equal(standingIn(question, revoked(50), { notBefore: 10, notAfter: 49 }), "inside");
  assert.equal(standingIn(question, revoked(50), { notBefore: 10, notAfter: 50 }), "key revoked");
  assert.equal(standingIn(question, revoked(50), { notBefore: 10, notAfter: null }), "key revoked");
  assert.equal(standingIn(question, revoked(null), { notBefore: 10, notAfter: 20 }), "key revoked");
});
