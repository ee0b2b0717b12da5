import assert from "node:assert/strict";
import { test } from "node:test";
import type { SegmentRow } from "@tally/edge";
import { hashLeaf, utf8 } from "@tally/evidence";
import { requireEnrolled, withLateLabels } from "./open-segments.ts";

const origin = "tally.example/plane/d/0123456789abcdef0123456789abcdef/0";
const row = (index: number): SegmentRow => ({
  origin,
  index,
  leaf: `leaf ${index}`,
  load: 1,
  ordinal: 0,
  input: "in",
  output: "out",
  labels: [],
});
const label = { index: 30, leaf: "leaf 30", who: "00", value: "benign" };

test("a label that came in a later segment belongs to its record's row", () => {
  const record = { origin, index: 5, leaf: "leaf 5" };
  const rows = withLateLabels([
    { rows: [row(5), row(3)], late: [] },
    { rows: [], late: [{ record, ...label }] },
  ]);
  assert.deepEqual(
    rows.map(({ index, labels }) => [index, labels]),
    [
      [3, []],
      [5, [label]],
    ],
  );
});

test("a label of a record with another leaf hash belongs to nothing", () => {
  const record = { origin, index: 5, leaf: "another" };
  const rows = withLateLabels([{ rows: [row(5)], late: [{ record, ...label }] }]);
  assert.deepEqual(rows[0]?.labels, []);
});

test("a segment is a device's only if the fleet log admitted its first entry", () => {
  const segment = { origin, genesisHash: hashLeaf(utf8("genesis")) };
  requireEnrolled(segment, "sha256:x", { genesisHash: hashLeaf(utf8("genesis")) });
  assert.throws(() => requireEnrolled(segment, "sha256:x", undefined), { exitCode: 3, message: /no enrolment/ });
  assert.throws(() => requireEnrolled(segment, "sha256:x", { genesisHash: hashLeaf(utf8("other")) }), {
    exitCode: 3,
    message: /other keys/,
  });
});
