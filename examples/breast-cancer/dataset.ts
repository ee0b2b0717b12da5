import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** One patient as the table has them. `row` counts from 0 in the order of the file. */
export interface Patient extends Sample {
  readonly row: number;
}

/**
 * What a classifier learns from. Features are float32, as every device sees them, so that training on rows which came
 * back from devices gives what training on the table would have given.
 */
export interface Sample {
  readonly features: Float32Array;
  readonly malignant: boolean;
}

const measurements = [
  "radius",
  "texture",
  "perimeter",
  "area",
  "smoothness",
  "compactness",
  "concavity",
  "concave_points",
  "symmetry",
  "fractal_dimension",
];

/** The 30 columns in the order of the table and of the model's input. */
export const featureNames: readonly string[] = Object.freeze([
  ...measurements.map((name) => `mean_${name}`),
  ...measurements.map((name) => `${name}_error`),
  ...measurements.map((name) => `worst_${name}`),
]);

/** Where the committed table lies. */
export const datasetPath: string = fileURLToPath(new URL("./data/wdbc.csv", import.meta.url));

/**
 * Reads the table from the text of `wdbc.csv`: the header, then `30 numbers, malignant|benign` a line. Nothing is
 * skipped or guessed; an Error names the line that is wrong.
 */
export function parseDataset(text: string): readonly Patient[] {
  const lines = text.split("\n");
  if (lines.pop() !== "") throw new Error("wdbc.csv must end with a line feed");
  const header = [...featureNames, "diagnosis"].join(",");
  if (lines.shift() !== header) throw new Error("line 1 of wdbc.csv is not the header with the 31 column names");
  if (lines.length === 0) throw new Error("wdbc.csv holds no patients");
  return Object.freeze(lines.map((line, row) => parsePatient(line, row)));
}

/** The committed table. */
export function readDataset(): readonly Patient[] {
  return parseDataset(readFileSync(datasetPath, "utf8"));
}

function parsePatient(line: string, row: number): Patient {
  const fields = line.split(",");
  const where = `line ${row + 2} of wdbc.csv`;
  if (fields.length !== featureNames.length + 1) {
    throw new Error(`${where} has ${fields.length} fields, not ${featureNames.length + 1}`);
  }
  const diagnosis = fields[featureNames.length];
  if (diagnosis !== "malignant" && diagnosis !== "benign") {
    throw new Error(`${where} ends in ${JSON.stringify(diagnosis)}, not in malignant or benign`);
  }
  const features = Float32Array.from(featureNames, (name, column) => {
    const field = fields[column] ?? "";
    if (!/^(0|[1-9]\d{0,5})(\.\d{1,9})?$/.test(field)) {
      throw new Error(`${where}: ${name} is ${JSON.stringify(field)}, not a plain decimal number`);
    }
    return Number(field);
  });
  return Object.freeze({ row, features, malignant: diagnosis === "malignant" });
}
