import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toHex } from "@tally/evidence";
import { answerFile, trustFile } from "../testdata.ts";
import { RecordRows } from "./record-rows.ts";
import { verifyFiles } from "./verify-files.ts";

const { records } = await verifyFiles({ bundle: answerFile, trust: trustFile, now: 0 });
const all = { origin: null, model: null, standing: null };

describe("rows of records", () => {
  test("come a page at a time, in the answer's order, and add up to all", () => {
    const rows = new RecordRows(records);
    const seen: number[] = [];
    for (let from = 0; from < records.length; from += 7) {
      const page = rows.rows(all, { from, count: 7 });
      assert.equal(page.total, records.length);
      seen.push(...page.rows.map(({ position }) => position));
    }
    assert.deepEqual(seen, [...records.keys()]);
  });

  test("are those that pass every filter", () => {
    const rows = new RecordRows(records);
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
      const { total, rows: found } = rows.rows(filter, { from: 0, count: records.length });
      assert.equal(total, expected.length);
      assert.deepEqual(
        found.map(({ origin: ledger, index }) => [ledger, index]),
        expected.map(({ origin: ledger, index }) => [ledger, index]),
      );
    }
    assert.equal(rows.rows({ ...all, origin: "no such ledger" }, { from: 0, count: 5 }).total, 0);
  });

  test("open to all that a record says", () => {
    const fields = new Map(new RecordRows(records).fields(0));
    const record = records[0]!;
    assert.equal(fields.get("Leaf hash"), toHex(record.leaf));
    assert.match(fields.get("Output")!, new RegExp(toHex(record.entry.output.commitment)));
    assert.deepEqual(new RecordRows(records).fields(records.length), []);
  });

  test("name parameters and usage, decimals among them", () => {
    const entry = {
      ...records[0]!.entry,
      parameters: new Map<number, number | number[]>([
        [0, 7],
        [1, [-1, 8]],
        [99, 1],
      ]),
      usage: new Map([[1, 12]]),
    };
    const fields = new Map(new RecordRows([{ ...records[0]!, entry }]).fields(0));
    assert.equal(fields.get("Parameters"), "seed: 7, temperature: 8e-1, code 99: 1");
    assert.equal(fields.get("Usage"), "output-tokens: 12");
  });
});
