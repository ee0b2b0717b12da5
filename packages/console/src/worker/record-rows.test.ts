import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bytesSource, heldRecords, toHex } from "@tally/evidence";
import { answerFile, trustFile } from "../testdata.ts";
import { RecordRows } from "./record-rows.ts";
import { verifyFiles } from "./verify-files.ts";

const { records: pages } = await verifyFiles({ bundle: bytesSource(answerFile), trust: trustFile, now: 0 });
const records = await Array.fromAsync(pages.read(0));
const all = { origin: null, model: null, standing: null };

describe("rows of records", () => {
  test("come a page at a time, in the answer's order, and add up to all", async () => {
    const rows = new RecordRows(pages);
    const seen: string[] = [];
    for (let from = 0; from < records.length; from += 7) {
      const page = await rows.rows(all, { from, count: 7 });
      assert.equal(page.total, records.length);
      seen.push(...page.rows.map(({ origin, index }) => `${origin} ${index}`));
    }
    assert.deepEqual(
      seen,
      records.map(({ origin, index }) => `${origin} ${index}`),
    );
  });

  test("are those that pass every filter", async () => {
    const rows = new RecordRows(pages);
    const { origin, model, standing } = records.at(-1)!;
    for (const filter of [
      { ...all, origin },
      { ...all, model },
      { ...all, standing },
      { origin, model, standing },
    ]) {
      const expected = records.filter(
        (record) =>
          (filter.origin === null || record.origin === filter.origin) &&
          (filter.model === null || record.model === filter.model) &&
          (filter.standing === null || record.standing === filter.standing),
      );
      const { total, rows: found } = await rows.rows(filter, { from: 0, count: records.length });
      assert.equal(total, expected.length);
      assert.deepEqual(
        found.map(({ origin: ledger, index }) => [ledger, index]),
        expected.map(({ origin: ledger, index }) => [ledger, index]),
      );
    }
    assert.equal((await rows.rows({ ...all, origin: "no such ledger" }, { from: 0, count: 5 })).total, 0);
  });

  test("open to all that a record says", async () => {
    const record = records.at(-1)!;
    const fields = new Map(await new RecordRows(pages).fields(record.origin, record.index));
    assert.equal(fields.get("Leaf hash"), toHex(record.leaf));
    assert.match(fields.get("Output")!, new RegExp(toHex(record.entry.output.commitment)));
    assert.deepEqual(await new RecordRows(pages).fields(record.origin, 1e9), []);
  });

  test("name parameters and usage, decimals among them", async () => {
    const entry = {
      ...records[0]!.entry,
      parameters: new Map<number, number | number[]>([
        [0, 7],
        [1, [-1, 8]],
        [99, 1],
      ]),
      usage: new Map([[1, 12]]),
    };
    const record = { ...records[0]!, entry };
    const fields = new Map(await new RecordRows(heldRecords([record])).fields(record.origin, record.index));
    assert.equal(fields.get("Parameters"), "seed: 7, temperature: 8e-1, code 99: 1");
    assert.equal(fields.get("Usage"), "output-tokens: 12");
  });
});
