import assert from "node:assert/strict";
import { test } from "node:test";
import type { SegmentRow } from "@tally/edge";
import { hashLeaf, type RecordAnswer, type RecordPages, toHex, utf8 } from "@tally/evidence";
import { discloses, type FigureName, figuresOf, recordsBehind } from "./figures.ts";

const origins = ["plane.test/d/00/0", "plane.test/d/00/1", "plane.test/d/11/0"];
const leafOf = (index: number) => hashLeaf(utf8(`entry ${index}`));

/** Ten records of 100 to 1,000 µs, the last one only possibly inside, on two devices, one of them in two epochs. */
const all = Array.from({ length: 10 }, (_, n) => {
  const standing = n === 9 ? "possibly inside" : "inside";
  const place = { origin: origins[n % 3]!, index: n, leaf: leafOf(n), standing };
  return { ...place, durationMicros: 100 * (n + 1) } as unknown as RecordAnswer;
});
const records: RecordPages = {
  count: all.length,
  read: async function* (from) {
    yield* all.slice(from);
  },
  pick: async function* () {},
  only: () => records,
};
const row = (index: number, probability: number, label?: boolean, leaf = toHex(leafOf(index))): SegmentRow => ({
  origin: origins[index % 3]!,
  index,
  leaf,
  load: 0,
  ordinal: index,
  input: null,
  output: { probability: { type: "float32", dims: [1], data: [probability] } },
  labels: label === undefined ? [] : [{ index: 20, leaf: "", who: "", value: { malignant: label } }],
});
const disclosed = discloses([
  row(0, 0.9, true),
  row(1, 0.8, false),
  row(2, 0.3, false),
  row(3, 0.4),
  // Of another entry than the one that was proven.
  row(4, 0.9, true, toHex(leafOf(99))),
]);

test("figures are those of the proven records, and of contents only where they are of the very entry", async () => {
  assert.deepEqual(await figuresOf(records, disclosed), {
    inside: 9,
    possibly: 1,
    "key-revoked": 0,
    devices: 2,
    "latency-p50": 500,
    "latency-p95": 1000,
    "latency-p99": 1000,
    contents: 4,
    labelled: 3,
    agreed: 2,
    differed: 1,
    confidence: 0.7,
  });
  const none = await figuresOf({ ...records, count: 0, read: async function* () {} }, new Map());
  assert.deepEqual([none.inside, none["latency-p50"], none.confidence], [0, null, null]);
});

test("each figure opens to the records behind it", async () => {
  const figures = await figuresOf(records, disclosed);
  const behind = async (name: FigureName) => {
    const found = await Array.fromAsync(recordsBehind(name, figures, records, disclosed));
    return found.map(({ index }) => index);
  };
  assert.equal((await behind("inside")).length, 9);
  assert.deepEqual(await behind("possibly"), [9]);
  assert.deepEqual(await behind("latency-p95"), [9]);
  assert.deepEqual(await behind("contents"), [0, 1, 2, 3]);
  assert.deepEqual(await behind("agreed"), [0, 2]);
  assert.deepEqual(await behind("differed"), [1]);
  assert.deepEqual(await behind("confidence"), [0, 1, 2]);
});
