// What a data scientist does with a segment: pandas, pyarrow and scikit-learn on the files of an unpacked one.
import assert from "node:assert/strict";
import { readlinkSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { inspectSegment, openSegment } from "@tally/edge";
import { unpackModelKit } from "@tally/oci";
import { program } from "./programs.ts";
import { packedSegment } from "./segment.ts";
import { temporaryFolder } from "./server-process.ts";
import { mustRun } from "./tool.ts";

interface Scene {
  readonly folder: string;
  readonly indices: readonly number[];
  /** Runs a program in Python in the segment's folder; what it prints is JSON. */
  python(code: string): Promise<unknown>;
}

async function scene(t: TestContext): Promise<Scene | undefined> {
  const path = program(t, "dataframes");
  if (path === undefined) return undefined;
  const { manifest, source, indices } = await packedSegment(t);
  const dir = await temporaryFolder(t);
  const folder = join(dir, "segment");
  await unpackModelKit({ source, reference: manifest, into: folder });
  // Through the link Python would not know of its environment.
  const interpreter = readlinkSync(path);
  const python = async (code: string) => {
    await writeFile(join(dir, "program.py"), code);
    return JSON.parse(await mustRun(interpreter, [join(dir, "program.py")], { cwd: folder }));
  };
  return { folder, indices, python };
}

test("pandas reads the same rows from Parquet, CSV and JSON Lines, with types of their own from Parquet", async (t) => {
  const s = await scene(t);
  if (s === undefined) return;
  const found = await s.python(`
import json, pandas as pd
parquet, csv = pd.read_parquet("data/records.parquet"), pd.read_csv("data/records.csv", float_precision="round_trip")
lines = pd.read_json("data/records.jsonl", lines=True)
same = (parquet[[c for c in parquet if c.startswith(("input", "output"))]].astype("float64")
        == csv[[c for c in csv if c.startswith(("input", "output"))]].astype("float64")).all().all()
print(json.dumps({"index": parquet["index"].tolist(), "csv": csv["index"].tolist(), "lines": lines["index"].tolist(),
  "columns": list(parquet.columns) == list(csv.columns), "same": bool(same),
  "types": {c: str(parquet[c].dtype) for c in ["index", "label", "input.features[0]", "output.probability"]}}))
`);
  const { indices } = s;
  assert.deepEqual(found, {
    index: indices,
    csv: indices,
    lines: indices,
    columns: true,
    same: true,
    types: { index: "int64", label: "bool", "input.features[0]": "float32", "output.probability": "float32" },
  });
});

test("pyarrow finds the Parquet file whole: one row group, nothing compressed, each column of the type that its tensor had", async (t) => {
  const s = await scene(t);
  if (s === undefined) return;
  const found = await s.python(`
import json, pyarrow.parquet as pq
f = pq.ParquetFile("data/records.parquet")
table = f.read()
table.validate(full=True)
print(json.dumps({"rows": table.num_rows, "groups": f.num_row_groups, "codec": f.metadata.row_group(0).column(0).compression,
  "schema": {n: str(t) for n, t in zip(table.schema.names, table.schema.types)}, "by": f.metadata.created_by}))
`);
  assert.deepEqual(found, {
    rows: 40,
    groups: 1,
    codec: "UNCOMPRESSED",
    schema: {
      origin: "string",
      index: "int64",
      leaf: "string",
      label: "bool",
      ...Object.fromEntries([0, 1, 2, 3].map((i) => [`input.features[${i}]`, "float"])),
      "output.probability": "float",
    },
    by: "tally segment v1",
  });
});

test("scikit-learn trains on the labels of a segment, straight from its Parquet file", async (t) => {
  const s = await scene(t);
  if (s === undefined) return;
  const found = await s.python(`
import json, pandas as pd
from sklearn.linear_model import LogisticRegression
rows = pd.read_parquet("data/records.parquet")
x, y = rows.filter(like="input.features"), rows["label"]
print(json.dumps({"accuracy": LogisticRegression(max_iter=5000).fit(x, y).score(x, y), "positive": int(y.sum())}))
`);
  assert.deepEqual(found, { accuracy: 1, positive: 19 });
});

test("a row that pandas changed and wrote back is named, also where every byte of the file is another", async (t) => {
  const s = await scene(t);
  if (s === undefined) return;
  await openSegment(s.folder);
  await s.python(`
import pandas as pd
rows = pd.read_parquet("data/records.parquet")
rows.loc[17, "label"] = not rows.loc[17, "label"]
rows.to_parquet("data/records.parquet")
print("null")
`);
  const { faults } = await inspectSegment(s.folder);
  assert.deepEqual(
    faults.map(({ file, index }) => [file, index]),
    [["data/records.parquet", s.indices[17]]],
  );
});
