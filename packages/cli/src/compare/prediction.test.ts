import assert from "node:assert/strict";
import { test } from "node:test";
import type { SegmentRow } from "@tally/edge";
import type { JsonValue } from "@tally/evidence";
import { labelAgrees, predictionOf } from "./prediction.ts";

const tensor = (type: string, data: (number | string | boolean)[]) => ({ type, dims: [data.length], data });

test("a class, scores, or one probability are read from outputs; anything else is not guessed at", () => {
  const cases: [JsonValue, number | string | null, number | null][] = [
    [{ label: tensor("int64", [2]), scores: tensor("float32", [0.1, 0.2, 0.7]) }, 2, 0.7],
    [{ scores: tensor("float", [0.1, 0.6, 0.3]) }, 1, 0.6],
    [{ probability: tensor("float32", [0.25]) }, 0, 0.75],
    [{ name: tensor("string", ["benign"]) }, "benign", null],
    [{ yes: tensor("bool", [true]) }, 1, null],
    [{ length: tensor("float32", [17.5]) }, null, null],
    [{ tokens: tensor("int64", [1, 2, 3]) }, null, null],
    ["free text", null, null],
    [null, null, null],
    [[1, 2], null, null],
    [{ a: { type: "int64" }, b: 3 }, null, null],
  ];
  for (const [output, value, confidence] of cases) assert.deepEqual(predictionOf(output), { value, confidence });
});

test("the newest label is compared with the class, and only where both have a form that can be", () => {
  const row = (output: JsonValue, ...values: JsonValue[]): SegmentRow => ({
    origin: "plane.test/d/00/0",
    index: 1,
    leaf: "",
    load: 0,
    ordinal: 0,
    input: null,
    output,
    labels: values.map((value, index) => ({ index, leaf: "", who: "", value })),
  });
  const one = { probability: tensor("float32", [0.9]) };
  assert.equal(labelAgrees(row(one, { malignant: true })), true);
  assert.equal(labelAgrees(row(one, { malignant: true }, { malignant: false })), false);
  assert.equal(labelAgrees(row(one, 1)), true);
  assert.equal(labelAgrees(row({ name: tensor("string", ["a"]) }, "b")), false);
  assert.equal(labelAgrees(row(one)), null);
  assert.equal(labelAgrees(row(one, { a: 1, b: 2 })), null);
  assert.equal(labelAgrees(row("text", 1)), null);
});
