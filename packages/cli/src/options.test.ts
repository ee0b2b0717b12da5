import assert from "node:assert/strict";
import { test } from "node:test";
import { collectList, parseCount, parseDuration, parsePort } from "./options.ts";

test("durations have a unit", () => {
  assert.deepEqual(["90s", "15m", "12h", "30d"].map(parseDuration), [90, 900, 43_200, 2_592_000]);
  for (const text of ["", "90", "0s", "1w", "-1d", "1.5h"])
    assert.throws(() => parseDuration(text), { code: "commander.invalidArgument" });
});

test("ports are numbers that there are", () => {
  assert.deepEqual(["0", "7400", "65535"].map(parsePort), [0, 7400, 65_535]);
  for (const text of ["", "65536", "-1", "http"])
    assert.throws(() => parsePort(text), { code: "commander.invalidArgument" });
});

test("counts are whole", () => {
  assert.equal(parseCount("12"), 12);
  for (const text of ["", "-1", "1.5", "1e3"])
    assert.throws(() => parseCount(text), { code: "commander.invalidArgument" });
});

test("a list may be given at once or bit by bit", () => {
  assert.deepEqual(collectList("c", collectList("a, b", undefined)), ["a", "b", "c"]);
});
