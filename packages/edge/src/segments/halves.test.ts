import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { littleEndianBytes, utf8 } from "@tally/evidence";
import { RegistryClient, unpackModelKit } from "@tally/oci";
import { parquetReadObjects } from "hyparquet";
import { openDevice } from "../device.ts";
import { temporaryFolder } from "../testing/device-folders.ts";
import { enrolDevice } from "../testing/loopback-device.ts";
import { LoopbackPlane } from "../testing/loopback-plane.ts";
import { publishModel } from "../testing/publish-model.ts";
import { inspectSegment } from "./inspect-segment.ts";
import { openSegment } from "./open-segment.ts";
import { renderParquet } from "./parquet-table.ts";
import { decodePayloads } from "./payload-sequence.ts";
import { renderContent } from "./render-content.ts";
import { renderTables } from "./tables.ts";

const root = await temporaryFolder(after);
const plane = await LoopbackPlane.open(join(root, "plane"));
await publishModel(plane);
after(() => plane.close());

const device = await openDevice({ dir: await enrolDevice(plane, join(root, "device"), { capture: "full" }) });
const model = await device.load("tiny:stable");
for (const bits of [0x3c00, 0x2e66]) {
  const data = littleEndianBytes(Uint16Array.of(bits, 0xc100));
  const tensors = [
    { name: "brain", dtype: "bfloat16", dims: [2], data },
    { name: "half", dtype: "float16", dims: [2], data },
  ] as const;
  await device.record({ model, input: { tensors }, output: { json: { malignant: true } } });
}
await device.sync();
const [segment] = await device.packSegments();
await device.close();
let count = 0;

async function unpacked(): Promise<string> {
  const into = join(root, `unpacked-${count++}`);
  const source = new RegistryClient({ url: plane.url, repository: "tiny" });
  await unpackModelKit({ source, reference: segment!.artifact, into });
  return into;
}

/** The folder as it was packed when 16-bit floating point was shown as bits. */
async function packedBefore(): Promise<string> {
  const folder = await unpacked();
  const { rows } = await openSegment(folder);
  const payloads = decodePayloads(await readFile(join(folder, "data", "payloads.cborseq")));
  const before = rows.map((row) => {
    const { mediaType, bytes } = payloads.find(({ index, role }) => index === row.index && role === "input")!;
    return { ...row, input: renderContent(mediaType, bytes, "bits") };
  });
  const tables = { ...renderTables(before, []), "records.parquet": renderParquet(before, "bits") };
  for (const [name, table] of Object.entries(tables)) await writeFile(join(folder, "data", name), table);
  return folder;
}

test("16-bit floating point in a segment is numbers for every tool: in its rows, its CSV and its Parquet table", async () => {
  const folder = await unpacked();
  const { rows } = await openSegment(folder);
  assert.deepEqual(rows[0]?.input, {
    brain: { type: "bfloat16", dims: [2], data: [0.0078125, -8] },
    half: { type: "float16", dims: [2], data: [1, -2.5] },
  });
  const csv = await readFile(join(folder, "data", "records.csv"), "utf8");
  assert.match(csv, /input\.brain\[0\],input\.brain\[1\],input\.half\[0\],input\.half\[1\],/);
  assert.match(csv, /,0\.0078125,-8,1,-2\.5,/);
  const parquet = await readFile(join(folder, "data", "records.parquet"));
  const [, second] = await parquetReadObjects({ file: new Uint8Array(parquet).buffer });
  assert.equal(second?.["input.half[0]"], 0.0999755859375);
});

test("a segment from before goes on verifying, its rows are numbers, and an edited one of it is named", async () => {
  const folder = await packedBefore();
  const file = join(folder, "data", "records.csv");
  const csv = await readFile(file, "utf8");
  assert.match(csv, /,15360,49408,/);
  const { rows } = await openSegment(folder);
  assert.deepEqual((rows[0]!.input as unknown as { half: { data: number[] } }).half.data, [1, -2.5]);
  await writeFile(file, utf8(csv.replace(",15360,", ",15361,")));
  const { faults } = await inspectSegment(folder);
  assert.deepEqual(
    faults.map(({ file: name, index }) => [name, index]),
    [["data/records.csv", rows[0]?.index]],
  );
});
