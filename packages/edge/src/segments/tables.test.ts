import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeTensors, encodeText, littleEndianBytes, mediaTypes } from "@tally/evidence";
import { renderContent } from "./render-content.ts";
import type { SegmentRow } from "./row.ts";
import { renderTables } from "./tables.ts";

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

test("numbers are shown exactly, and what JSON cannot carry as text", () => {
  const data = littleEndianBytes(Float32Array.of(0.1, Number.NaN, Number.NEGATIVE_INFINITY));
  const bytes = encodeTensors([
    { name: "f", dtype: "float", dims: [3], data },
    { name: "i", dtype: "int64", dims: [2], data: littleEndianBytes(BigInt64Array.of(5n, 2n ** 60n)) },
  ]);
  assert.deepEqual(renderContent(mediaTypes.tensors, bytes), {
    f: { type: "float32", dims: [3], data: [0.10000000149011612, "NaN", "-Infinity"] },
    i: { type: "int64", dims: [2], data: [5, "1152921504606846976"] },
  });
});

test("bytes that are not what their media type says are shown as bytes", () => {
  assert.deepEqual(renderContent(mediaTypes.json, encodeText("{ }")), { mediaType: mediaTypes.json, base64: "eyB9" });
});

test("rows of different shape share one table, and cells are quoted where they must be", () => {
  const labels = [{ index: 9, leaf: "cd", who: "00", value: 'he said "no",\nthen yes' }];
  const { "records.csv": csv } = renderTables(
    [row({}), row({ index: 8, input: { x: { type: "float32", dims: [2], data: [1, 2] } }, labels })],
    [],
  );
  assert.equal(
    csv,
    [
      "origin,index,leaf,label,input,output,input.x[0],input.x[1]",
      "tally.example/d/00/0,7,ab,,in,out,,",
      'tally.example/d/00/0,8,ab,"he said ""no"",\nthen yes",,out,1,2',
      "",
    ].join("\r\n"),
  );
});

test("content that is no table leaves the keys and the label", () => {
  const wide = { x: { type: "float32", dims: [1000], data: new Array(1000).fill(0) } };
  const { "records.csv": csv } = renderTables([row({ input: wide, output: wide })], []);
  assert.equal(csv.split("\r\n")[0], "origin,index,leaf,label");
});
