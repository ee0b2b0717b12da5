import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "@tally/evidence";
import { parquetReadObjects } from "hyparquet";
import { renderParquet } from "./parquet-table.ts";
import type { SegmentRow } from "./row.ts";

const row = (changes: Partial<SegmentRow>): SegmentRow => ({
  origin: "tally.example/d/00/0",
  index: 7,
  leaf: "ab",
  load: 3,
  ordinal: 0,
  input: "in",
  output: "out",
  labels: [],
  ...changes,
});

const tensor = (type: string, data: (number | string)[]) => ({ type, dims: [data.length], data });

const read = (bytes: Uint8Array) => parquetReadObjects({ file: bytes.slice().buffer });

test("the columns of a Parquet table have the types of the tensors", async () => {
  const label = { index: 9, leaf: "cd", who: "00", value: 2.5 };
  const input = {
    f: tensor("float32", [0.10000000149011612, "NaN", "-Infinity"]),
    i: tensor("int64", [5, "1152921504606846976"]),
    u: tensor("uint64", ["18446744073709551615"]),
    b: tensor("bool", [0, 1]),
    s: "text",
  };
  const [first, second] = await read(renderParquet([row({ input, labels: [label] }), row({ index: 8 })]));
  assert.deepEqual(first, {
    origin: "tally.example/d/00/0",
    index: 7n,
    leaf: "ab",
    label: 2.5,
    "input.f[0]": 0.10000000149011612,
    "input.f[1]": Number.NaN,
    "input.f[2]": Number.NEGATIVE_INFINITY,
    "input.i[0]": 5n,
    "input.i[1]": 2n ** 60n,
    "input.u": 2n ** 64n - 1n,
    "input.b[0]": false,
    "input.b[1]": true,
    "input.s": "text",
    output: "out",
    input: null,
  });
  assert.deepEqual([second?.index, second?.label, second?.input], [8n, null, "in"]);
});

test("16-bit floating point is float32 in Parquet, and integers where it was shown as bits", async () => {
  const input = { h: tensor("float16", [0.0999755859375, "NaN"]), b: tensor("bfloat16", [0.10009765625]) };
  const [only] = await read(renderParquet([row({ input })]));
  assert.deepEqual(
    [only?.["input.h[0]"], only?.["input.h[1]"], only?.["input.b"]],
    [0.0999755859375, Number.NaN, 0.10009765625],
  );
  const [before] = await read(renderParquet([row({ input: { h: tensor("float16", [0x2e66]) } })], "bits"));
  assert.equal(before?.["input.h"], 0x2e66n);
});

test("a column whose rows disagree about its type is text", async () => {
  const labels = (value: string | number) => [{ index: 9, leaf: "cd", who: "00", value }];
  const rows = [row({ labels: labels("benign") }), row({ labels: labels(1) })];
  assert.deepEqual(
    (await read(renderParquet(rows))).map(({ label }) => label),
    ["benign", "1"],
  );
});

test("a tensor that is wider than a table is a column of lists, and its neighbours stay", async () => {
  const wide = Array.from({ length: 3000 }, (_, i) => i);
  const input = { image: tensor("float32", wide), age: tensor("int32", [41]), pair: tensor("int8", [1, -1]) };
  const [only] = await read(renderParquet([row({ input })]));
  assert.deepEqual(only?.["input.image"], wide);
  assert.deepEqual([only?.["input.age"], only?.["input.pair[1]"]], [41n, -1n]);
});

test("many columns become one for each tensor", async () => {
  const wide = { x: tensor("float32", new Array(1000).fill(0)) };
  const [only] = await read(renderParquet([row({ input: wide, output: wide })]));
  assert.deepEqual(Object.keys(only!), ["origin", "index", "leaf", "label", "input.x", "output.x"]);
  assert.equal((only!["output.x"] as number[]).length, 1000);
});

test("no rows are a table without rows", async () => {
  assert.deepEqual(await read(renderParquet([])), []);
});

test("the same rows give the same bytes in every release", () => {
  const input = { f: tensor("float32", [1, 2]), t: "x" };
  const rows = [row({ input }), row({ index: 8, input, labels: [{ index: 9, leaf: "cd", who: "00", value: true }] })];
  // Segments are verified byte for byte: if this digest changes, segments that were packed before no longer verify.
  assert.equal(
    digestOf(renderParquet(rows)),
    "sha256:12b32716e7f5334faf76d889f758ac8b8a46fa66a7eac4557f08d63af2531b0c",
  );
});
