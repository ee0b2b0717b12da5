import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { SegmentRow } from "@tally/edge";
import { asLeafHash, type Digest, digestOf, hashLeaf, utf8 } from "@tally/evidence";
import type { VerifiedContent } from "../open-segments.ts";
import { Gathered } from "./gathered.ts";
import { QuarantinedRows } from "./kept-out.ts";
import { writeSet } from "./write-set.ts";

const model = digestOf(utf8("model"));
const origin = (device: number) => `tally.example/plane/d/${device}/0`;
const leaf = (text: string) => asLeafHash(hashLeaf(utf8(text)));
const row = (device: number, index: number, extra: Partial<SegmentRow> = {}): SegmentRow => ({
  origin: origin(device),
  index,
  leaf: `${device}-${index}`,
  load: 1,
  ordinal: index,
  input: { x: { type: "float32", dims: [1], data: [index] } },
  output: "out",
  labels: [],
  ...extra,
});
const segment = (device: number, from: number, to: number, more: Partial<VerifiedContent> = {}): VerifiedContent => ({
  origin: origin(device),
  from,
  to,
  rows: Array.from({ length: to - from }, (_, i) => row(device, from + i)),
  late: [],
  absent: [],
  ...more,
});
const manifest = (name: string): Digest => digestOf(utf8(name));
const none = new QuarantinedRows([], model, false);
const all = { labelled: false, confidence: undefined, sample: undefined };

async function started(t: TestContext) {
  const dir = await mkdtemp(join(tmpdir(), "tally-gathered-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const path = join(dir, "state.db");
  const gathered = await Gathered.open(path, "query");
  t.after(() => gathered.close().catch(() => {}));
  return { dir, path, gathered };
}

const rowsOf = async (dir: string) =>
  (await readFile(join(dir, "records.jsonl"), "utf8"))
    .trim()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as SegmentRow);

test("rows of many segments are written once each, by ledger and index, whatever the order they came in", async (t) => {
  const { dir, gathered } = await started(t);
  await gathered.add(manifest("c"), segment(2, 0, 300), model);
  await gathered.add(manifest("b"), segment(1, 100, 250), model);
  await gathered.add(manifest("a"), segment(1, 0, 120), model);
  const { rows, segments, files } = await writeSet(dir, gathered, all, new Map(), none);
  const written = await rowsOf(dir);
  assert.equal(rows, 550);
  assert.deepEqual(
    written.map(({ origin, index }) => `${origin} ${index}`),
    [1, 2].flatMap((d) => Array.from({ length: d === 1 ? 250 : 300 }, (_, i) => `${origin(d)} ${i}`)),
  );
  assert.equal(
    segments.reduce((sum, { rows }) => sum + rows, 0),
    550,
  );
  for (const { name, digest } of files) assert.equal(digestOf(await readFile(join(dir, name))), digest, name);
  const csv = (await readFile(join(dir, "rows.csv"), "utf8")).split("\r\n");
  assert.equal(csv[0], "origin,index,leaf,label,input.x,output");
  assert.equal(csv.length, 552);
});

test("a label that came in a later segment belongs to its record's row, and to no other entry's", async (t) => {
  const { dir, gathered } = await started(t);
  const said = { index: 30, leaf: "30", who: "00", value: "benign" };
  const record = { origin: origin(1), index: 1, leaf: "1-1" };
  const late = [
    { ...said, record },
    { ...said, index: 31, record: { ...record, index: 2, leaf: "another" } },
  ];
  await gathered.add(manifest("late"), segment(1, 20, 20, { late }), model);
  await gathered.add(manifest("rows"), segment(1, 0, 3), model);
  await writeSet(dir, gathered, { ...all, labelled: true }, new Map(), none);
  assert.deepEqual(await rowsOf(dir), [{ ...row(1, 1), labels: [said] }]);
});

test("a sample is the same for the same seed, another for another, and part of a larger one", async (t) => {
  const { dir, gathered } = await started(t);
  await gathered.add(manifest("rows"), segment(1, 0, 200), model);
  const draw = async (rows: number, seed: string) => {
    await writeSet(dir, gathered, { ...all, sample: { size: { rows }, seed } }, new Map(), none);
    return (await rowsOf(dir)).map(({ index }) => index);
  };
  const ten = await draw(10, "7");
  assert.equal(ten.length, 10);
  assert.deepEqual(await draw(10, "7"), ten);
  assert.notDeepEqual(await draw(10, "8"), ten);
  const twenty = new Set(await draw(20, "7"));
  assert.ok(ten.every((index) => twenty.has(index)));
  await writeSet(dir, gathered, { ...all, sample: { size: { share: 0.25 }, seed: "7" } }, new Map(), none);
  assert.equal((await rowsOf(dir)).length, 50);
  assert.equal((await draw(1000, "7")).length, 200);
});

test("what was gathered is there again after a stop, and a dropped segment takes only its own rows along", async (t) => {
  const { dir, path, gathered } = await started(t);
  await gathered.add(manifest("old"), segment(1, 0, 10), model);
  await gathered.add(manifest("overlaps"), segment(1, 5, 15), model);
  await gathered.close();
  const again = await Gathered.open(path, "query");
  assert.equal((await again.manifests()).size, 2);
  await again.drop([manifest("old")]);
  await writeSet(dir, again, all, new Map(), none);
  assert.deepEqual(
    (await rowsOf(dir)).map(({ index }) => index),
    [5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
  );
  await again.remove();
  assert.equal(existsSync(path), false);
});

test("what another query gathered is not taken for this one's", async (t) => {
  const { path, gathered } = await started(t);
  await gathered.close();
  await assert.rejects(Gathered.open(path, "another model"), { exitCode: 2, message: /another model, plane or trust/ });
});

test("two segments with different records under one index are seen", async (t) => {
  const { gathered } = await started(t);
  await gathered.add(manifest("a"), segment(1, 0, 10), model);
  await gathered.add(manifest("b"), segment(1, 5, 10), model);
  assert.equal(await gathered.contradiction(), undefined);
  await gathered.add(manifest("c"), segment(1, 7, 8, { rows: [row(1, 7, { leaf: "other" })] }), model);
  assert.deepEqual(await gathered.contradiction(), { origin: origin(1), index: 7 });
});

test("an absent record is named unless another segment has its row, and only for the model that was asked for", async (t) => {
  const { gathered } = await started(t);
  const absent = [3, 4].map((index) => ({ index, leaf: leaf(`${index}`), model }));
  const other = { index: 5, leaf: leaf("5"), model: digestOf(utf8("other")) };
  await gathered.add(manifest("a"), segment(1, 0, 6, { rows: [row(1, 0)], absent: [...absent, other] }), model);
  await gathered.add(manifest("b"), segment(1, 4, 5), model);
  const named = await Array.fromAsync(gathered.absent());
  assert.deepEqual(
    named.map(({ index }) => index),
    [3],
  );
});

test("rows of a ledger in doubt say so", async (t) => {
  const { dir, gathered } = await started(t);
  await gathered.add(manifest("a"), segment(1, 0, 1), model);
  await gathered.add(manifest("b"), segment(2, 0, 1), model);
  await writeSet(dir, gathered, all, new Map([[origin(2), "revoked"]]), none);
  const standings = (await rowsOf(dir)).map((line) => (line as { standing?: string }).standing);
  assert.deepEqual(standings, [undefined, "revoked"]);
});

test("rows and labels under quarantine stay out, counted by statement, and come in marked when they are asked for", async (t) => {
  const { dir, gathered } = await started(t);
  const label = (index: number) => ({ index, leaf: `l${index}`, who: "w", value: index });
  const rows = [
    row(1, 10, { labels: [label(11), label(41)] }),
    row(1, 12, { labels: [label(42)] }),
    row(1, 40),
    row(1, 43, { labels: [label(44)] }),
  ];
  await gathered.add(manifest("a"), segment(1, 0, 50, { rows }), model);
  await gathered.add(manifest("b"), segment(2, 0, 2), model);
  const kept = {
    statement: digestOf(utf8("quarantine")),
    what: { kind: "device", origin: origin(1), from: 40, to: null, genesis: digestOf(utf8("genesis")) },
    reason: "drifted",
    by: ["steward"],
  } as const;
  const shown = async () => (await rowsOf(dir)).map(({ origin: of, index, labels }) => [of, index, labels.length]);

  const out = new QuarantinedRows([kept], model, false);
  await writeSet(dir, gathered, all, new Map(), out);
  assert.deepEqual(await shown(), [
    [origin(1), 10, 1],
    [origin(1), 12, 0],
    [origin(2), 0, 0],
    [origin(2), 1, 0],
  ]);
  assert.deepEqual(
    out.kept.map((one) => [one.statement, one.segments, one.rows, one.labels]),
    [[kept.statement, 0, 2, 2]],
  );
  await writeSet(dir, gathered, { ...all, labelled: true }, new Map(), out);
  assert.deepEqual(await shown(), [[origin(1), 10, 1]]);
  assert.deepEqual(
    out.kept.map((one) => [one.rows, one.labels]),
    [[1, 2]],
    "counted anew, of what the other filters want",
  );

  const marked = new QuarantinedRows([kept], model, true);
  await writeSet(dir, gathered, all, new Map(), marked);
  const lines = (await rowsOf(dir)) as (SegmentRow & { quarantined?: string[] })[];
  assert.deepEqual(
    lines.map(({ index, labels, quarantined }) => [index, labels.length, quarantined]),
    [
      [10, 2, undefined],
      [12, 1, undefined],
      [40, 0, [kept.statement]],
      [43, 1, [kept.statement]],
      [0, 0, undefined],
      [1, 0, undefined],
    ],
  );
  assert.deepEqual(lines[0]?.labels[1], { ...label(41), quarantined: [kept.statement] });
  const list = JSON.parse(await readFile(join(dir, "segments.json"), "utf8")) as { quarantined?: string[] }[];
  assert.deepEqual(
    list.map(({ quarantined }) => quarantined),
    [[kept.statement], undefined],
  );
});

test("a segment all of whose rows are under quarantine is not fetched; one of which some are is", () => {
  const item = (device: number, from: number, to: number, epoch = 0) => ({
    manifest: manifest(`${device} ${from} ${epoch}`),
    origin: `tally.example/plane/d/${device}/${epoch}`,
    deviceId: `${device}`,
    from,
    to,
    index: to,
  });
  const items = [item(1, 0, 40), item(1, 30, 50), item(1, 40, 50), item(1, 0, 9, 1), item(2, 40, 50)];
  const base = { reason: "drifted", by: ["steward"] };
  const device = { kind: "device", origin: origin(1), from: 40, to: null, genesis: model } as const;
  const ofModel = { kind: "model", manifest: model } as const;
  const fetched = (what: typeof device | typeof ofModel, included = false) => {
    const rows = new QuarantinedRows([{ ...base, statement: manifest("q"), what }], model, included);
    return [
      rows.toFetch(items).map(({ manifest: m }) => items.findIndex((i) => i.manifest === m)),
      rows.kept[0]?.segments,
    ];
  };
  assert.deepEqual(fetched(device), [[0, 1, 4], 2]);
  assert.deepEqual(fetched(ofModel), [[], 5]);
  assert.deepEqual(fetched(device, true), [[0, 1, 2, 3, 4], undefined]);
});
