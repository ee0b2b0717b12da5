import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { datasetPath, featureNames, parseDataset, readDataset } from "./dataset.ts";
import { splitPatients } from "./split.ts";

const text = readFileSync(datasetPath, "utf8");

test("the table has the counts and extremes that its description publishes", () => {
  const patients = readDataset();
  assert.equal(patients.length, 569);
  assert.equal(patients.filter((patient) => patient.malignant).length, 212);
  const extremes = (name: string) => {
    const values = patients.map((patient) => patient.features[featureNames.indexOf(name)]!);
    return [Math.min(...values), Math.max(...values)];
  };
  assert.deepEqual(extremes("mean_radius"), [Math.fround(6.981), Math.fround(28.11)]);
  assert.deepEqual(extremes("area_error"), [Math.fround(6.802), Math.fround(542.2)]);
  assert.deepEqual(extremes("worst_area"), [Math.fround(185.2), 4254]);
});

for (const [fault, damaged] of [
  ["a missing field", text.replace("17.99,", "")],
  ["a number in another spelling", text.replace("17.99,", "1.799e1,")],
  ["an empty field", text.replace("17.99,", ",")],
  ["an unknown diagnosis", text.replace(",malignant\n", ",maybe\n")],
  ["another header", text.replace("mean_radius", "radius_mean")],
  ["a torn last line", text.slice(0, -1)],
  ["carriage returns", text.replaceAll("\n", "\r\n")],
] as const) {
  test(`a table with ${fault} is refused`, () => {
    assert.throws(() => parseDataset(damaged), /wdbc\.csv/);
  });
}

test("a split uses every patient exactly once and is the same for the same seed", () => {
  const patients = readDataset();
  const split = splitPatients(patients, { seed: 7, devices: 5 });
  const rows = [...split.train, ...split.field.flat(), ...split.holdOut].map((patient) => patient.row);
  assert.equal(new Set(rows).size, 569);
  assert.equal(rows.length, 569);
  assert.deepEqual(splitPatients(patients, { seed: 7, devices: 5 }), split);
  assert.notDeepEqual(splitPatients(patients, { seed: 8, devices: 5 }), split);
});

test("each part of a split has both diagnoses in about the table's proportion", () => {
  const split = splitPatients(readDataset(), { seed: 1, devices: 5 });
  for (const part of [split.train, split.holdOut, split.field.flat()]) {
    const share = part.filter((patient) => patient.malignant).length / part.length;
    assert.ok(Math.abs(share - 212 / 569) < 0.02, `${share}`);
  }
  const sizes = split.field.map((device) => device.length);
  assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1);
});
