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

test("16-bit floating point is shown as the numbers that it is, in both its kinds", () => {
  const halves = [0x3c00, 0xc100, 0x0001, 0x7bff, 0x7c00, 0x7e01, 0x2e66];
  const brains = [0x3f80, 0xc020, 0x0001, 0x7f7f, 0xff80, 0x7fc1, 0x3dcd];
  const bytes = encodeTensors([
    { name: "b", dtype: "bfloat16", dims: [7], data: littleEndianBytes(Uint16Array.from(brains)) },
    { name: "h", dtype: "float16", dims: [7], data: littleEndianBytes(Uint16Array.from(halves)) },
  ]);
  // IEEE 754: smallest subnormal 2^-24 and largest 65504 of binary16; bfloat16 has the exponents of binary32.
  assert.deepEqual(renderContent(mediaTypes.tensors, bytes), {
    b: {
      type: "bfloat16",
      dims: [7],
      data: [1, -2.5, 2 ** -133, (2 - 2 ** -7) * 2 ** 127, "-Infinity", "NaN", 0.10009765625],
    },
    h: { type: "float16", dims: [7], data: [1, -2.5, 2 ** -24, 65504, "Infinity", "NaN", 0.0999755859375] },
  });
  assert.deepEqual(renderContent(mediaTypes.tensors, bytes, "bits"), {
    b: { type: "bfloat16", dims: [7], base64: "gD8gwAEAf3+A/8F/zT0=" },
    h: { type: "float16", dims: [7], data: halves },
  });
  const shown = row({ input: renderContent(mediaTypes.tensors, bytes) });
  const { "records.csv": csv } = renderTables([shown], []);
  assert.match(csv, /,1,-2.5,[^,]+,[^,]+,-Infinity,NaN,0.10009765625,1,-2.5,5.960464477539063e-8,65504,Infinity,NaN,/);
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
