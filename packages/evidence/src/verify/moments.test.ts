import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EarliestFrom, LatestBelow, showMoment } from "./moments.ts";

const points = fc.array(fc.record({ at: fc.nat(20), time: fc.integer() }), { maxLength: 12 });

test("bounds of a bracket are what their definitions say, for points in any order", () => {
  fc.assert(
    fc.property(points, fc.nat(25), (list, place) => {
      const above = list.filter(({ at }) => at >= place).map(({ time }) => time);
      const below = list.filter(({ at }) => at < place).map(({ time }) => time);
      assert.equal(new EarliestFrom(list).at(place), above.length === 0 ? null : Math.min(...above));
      assert.equal(new LatestBelow(list).at(place), below.length === 0 ? null : Math.max(...below));
    }),
  );
});

test("a later place never has an earlier bound", () => {
  fc.assert(
    fc.property(points, fc.nat(20), (list, place) => {
      const [from, below] = [new EarliestFrom(list), new LatestBelow(list)];
      const grows = (a: number | null, b: number | null) => a === null || b === null || a <= b;
      assert.ok(grows(from.at(place), from.at(place + 1)));
      assert.ok(grows(below.at(place), below.at(place + 1)));
    }),
  );
});

test("a moment that no date can be is shown as the number it is", () => {
  assert.equal(showMoment(0), "1970-01-01T00:00:00.000Z");
  assert.equal(showMoment(Number.MAX_SAFE_INTEGER), "9007199254740991 ms");
});
