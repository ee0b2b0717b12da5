import assert from "node:assert/strict";
import { test } from "node:test";
import type { SegmentRow } from "@tally/edge";
import { filtersAsJson, isWanted, parseRange, parseSample, sampleKey } from "./filters.ts";

const row = (index: number, scores: readonly number[] | null, labelled = false): SegmentRow => ({
  origin: "tally.example/plane/d/0/0",
  index,
  leaf: "00",
  load: 1,
  ordinal: index,
  input: "in",
  output: scores === null ? "text" : { scores: { type: "float32", dims: [scores.length], data: [...scores] } },
  labels: labelled ? [{ index: 9, leaf: "01", who: "02", value: true }] : [],
});
const none = { labelled: false, confidence: undefined, sample: undefined };

test("a range has both its ends, and may be open at one", () => {
  assert.deepEqual(parseRange("0.5..0.8"), { from: 0.5, to: 0.8 });
  assert.deepEqual(parseRange("..0.6"), { from: 0, to: 0.6 });
  assert.deepEqual(parseRange("1..1"), { from: 1, to: 1 });
  assert.deepEqual(parseRange("0.9.."), { from: 0.9, to: 1 });
  for (const text of ["..", "", "0.8..0.5", "0..2", "a..b", "0.5", "0.5...0.8", "-1..1", "..."])
    assert.throws(() => parseRange(text), { code: "commander.invalidArgument" }, text);
});

test("a sample is a number of rows or a share of them", () => {
  assert.deepEqual(parseSample("1000"), { rows: 1000 });
  assert.deepEqual(parseSample("5%"), { share: 0.05 });
  assert.deepEqual(parseSample("0.5%"), { share: 0.005 });
  for (const text of ["0", "0%", "101%", "5 %", "-1", "1.5", "", "%"])
    assert.throws(() => parseSample(text), { code: "commander.invalidArgument" }, text);
});

test("rows are wanted by label and by the largest score, and those without scores are in no range", () => {
  const between = { ...none, confidence: { from: 0.5, to: 0.8 } };
  assert.equal(isWanted(row(1, null), none), true);
  assert.equal(isWanted(row(1, null), between), false);
  assert.equal(isWanted(row(1, [0.5, 0.5]), between), true);
  assert.equal(isWanted(row(1, [0.1, 0.9]), between), false);
  // A score that stands alone is of class 1 against class 0.
  assert.equal(isWanted(row(1, [0.25]), between), true);
  assert.equal(isWanted(row(1, [0.1]), between), false);
  assert.equal(isWanted(row(1, [0.6, 0.4]), { ...between, labelled: true }), false);
  assert.equal(isWanted(row(1, [0.6, 0.4], true), { ...between, labelled: true }), true);
});

test("a sample's order follows from seed and key alone", () => {
  const key = sampleKey("7", row(3, null));
  assert.match(key, /^[0-9a-f]{16}$/);
  assert.equal(sampleKey("7", row(3, [1, 0], true)), key, "contents and labels do not move a row");
  assert.notEqual(sampleKey("8", row(3, null)), key);
  assert.notEqual(sampleKey("7", row(4, null)), key);
});

test("a statement says what was asked for, and nothing of what was not", () => {
  assert.deepEqual(
    filtersAsJson(none, { groups: [], includeRevoked: false, includeQuarantined: false, withoutQuarantined: [] }),
    {},
  );
  const asked = {
    labelled: true,
    confidence: { from: 0, to: 0.6 },
    sample: { size: { share: 0.05 }, seed: "7" },
  };
  const more = { groups: ["north"], includeRevoked: true, includeQuarantined: true, withoutQuarantined: ["a"] };
  assert.deepEqual(filtersAsJson(asked, more), {
    labelled: true,
    confidence: { from: 0, to: 0.6 },
    sample: { share: 0.05, seed: "7" },
    groups: ["north"],
    includeRevoked: true,
    includeQuarantined: true,
    withoutQuarantined: ["a"],
  });
});
