import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openDevice } from "@tally/edge";
import { parseDigest, type SegmentItem } from "@tally/evidence";
import { RegistryClient, type ResolvedManifest } from "@tally/oci";
import { enrolDevice } from "../../../edge/src/testing/loopback-device.ts";
import { LoopbackPlane } from "../../../edge/src/testing/loopback-plane.ts";
import { publishModel } from "../../../edge/src/testing/publish-model.ts";
import { gather } from "./gather.ts";
import { Gathered } from "./gathered.ts";
import { QuarantinedRows } from "./kept-out.ts";
import { writeSet } from "./write-set.ts";

const root = await mkdtemp(join(tmpdir(), "tally-gather-"));
after(() => rm(root, { recursive: true, force: true }));
const plane = await LoopbackPlane.open(join(root, "plane"));
after(() => plane.close());
const model = await publishModel(plane);
const items = await segmentsOfADevice(10);
const none = new QuarantinedRows([], model, false);
const everything = { labelled: false, confidence: undefined, sample: undefined };

/** A device that packs a segment of two records, again and again. */
async function segmentsOfADevice(count: number): Promise<readonly SegmentItem[]> {
  const device = await openDevice({ dir: await enrolDevice(plane, join(root, "device"), { capture: "full" }) });
  const session = await (await device.load("tiny:stable")).onnx();
  const found: SegmentItem[] = [];
  for (let i = 0; i < count; i += 1) {
    for (const first of [i, i + 0.5]) {
      await session.run({ features: { type: "float32", dims: [1, 4], data: [first, 2, 3, 4] } });
    }
    await device.sync();
    for (const { artifact, from, to } of await device.packSegments()) {
      const { origin, deviceId } = device;
      found.push({ manifest: parseDigest(artifact), origin, deviceId, from, to, index: to });
    }
  }
  await device.close();
  return found;
}

/** The registry, which counts the manifests that it gives and gives no more than `most`. */
class CountedRegistry extends RegistryClient {
  readonly given: string[] = [];
  readonly #most: number;

  constructor(most: number) {
    super({ url: plane.url, repository: "tiny" });
    this.#most = most;
  }

  override async resolve(reference: string): Promise<ResolvedManifest> {
    if (this.given.length >= this.#most) throw new Error("the connection broke");
    this.given.push(reference);
    return super.resolve(reference);
  }
}

const registry = (most = Number.POSITIVE_INFINITY) => new CountedRegistry(most);

test("a query that broke off goes on with the segments that are missing, and fetches no other again", async () => {
  const path = join(root, "broken.db");
  const first = await Gathered.open(path, "q");
  const broken = registry(4);
  await assert.rejects(gather(first, { source: broken, model, items, fleet: undefined }), /connection broke/);
  await first.close();
  const again = await Gathered.open(path, "q");
  const before = await again.manifests();
  assert.ok(before.size > 0 && before.size <= 4);
  const whole = registry();
  const told: number[] = [];
  await gather(again, { source: whole, model, items, fleet: undefined, onProgress: (done) => told.push(done) });
  assert.equal(new Set(whole.given).size, items.length - before.size);
  assert.ok(whole.given.every((reference) => !before.has(reference)));
  assert.equal(told.at(-1), items.length);
  const { rows } = await writeSet(root, again, everything, new Map(), none);
  assert.equal(rows, 2 * items.length);
  await again.remove();
});

test("a segment that belongs to the set no longer is dropped, and none is fetched twice", async () => {
  const gathered = await Gathered.open(join(root, "dropped.db"), "q");
  await gather(gathered, { source: registry(), model, items: [...items, ...items], fleet: undefined });
  const source = registry();
  await gather(gathered, { source, model, items: items.slice(2), fleet: undefined });
  assert.deepEqual(source.given, []);
  const { segments } = await writeSet(root, gathered, everything, new Map(), none);
  assert.deepEqual(
    segments.map(({ manifest }) => manifest),
    items.slice(2).map(({ manifest }) => manifest),
  );
  await gathered.remove();
});

test("a segment that is not the range that the plane names is refused, and what was gathered stays", async () => {
  const gathered = await Gathered.open(join(root, "wrong.db"), "q");
  const wrong = items.map((item, i) => (i === 5 ? { ...item, to: item.to + 1 } : item));
  await assert.rejects(gather(gathered, { source: registry(), model, items: wrong, fleet: undefined }), {
    exitCode: 3,
    message: /not those that the plane names/,
  });
  assert.ok((await gathered.manifests()).size > 0);
  await gathered.remove();
});

test("a set that is cut off while it is written leaves no file under its name", async () => {
  const dir = await mkdtemp(join(root, "cut-"));
  const gathered = await Gathered.open(join(dir, "state.db"), "q");
  await gather(gathered, { source: registry(), model, items, fleet: undefined });
  await writeFile(join(dir, ".records.jsonl.part"), "left over");
  const rows = gathered.rows.bind(gathered);
  let walks = 0;
  gathered.rows = async function* (only) {
    walks += 1;
    for await (const row of rows(only)) {
      if (walks === 3) throw new Error("no space left on device");
      yield row;
    }
  };
  await assert.rejects(writeSet(dir, gathered, everything, new Map(), none), /no space left/);
  await assert.rejects(readFile(join(dir, "rows.csv")), { code: "ENOENT" });
  gathered.rows = rows;
  await writeSet(dir, gathered, everything, new Map(), none);
  assert.equal((await readFile(join(dir, "records.jsonl"), "utf8")).split("\n").length, 2 * items.length + 1);
  await gathered.remove();
});
