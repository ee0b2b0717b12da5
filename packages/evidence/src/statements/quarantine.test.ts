import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { utf8 } from "../bytes.ts";
import { digestOf } from "../digest.ts";
import {
  concernsDevice,
  coversRecord,
  encodeStatement,
  foldQuarantines,
  parseQuarantine,
  parseStatement,
  type Quarantined,
  type QuarantineWord,
  quarantineStatement,
  quarantineType,
  touches,
} from "./index.ts";

const d = (name: string) => digestOf(utf8(name));
const ledger = (epoch: number) => `tally.example/plane/d/00/${epoch}`;
const origin = ledger(1);
const device = { kind: "device", origin, from: 10, to: null, genesis: d("genesis") } as const;
const range = { ...device, to: 20, since: 1_767_225_600_000, until: 1_767_312_000_000 } as const;
const segment = { kind: "segment", manifest: d("segment"), origin, from: 10, to: 20, model: d("model") } as const;
const model = { kind: "model", manifest: d("model") } as const;
const dataset = { kind: "dataset", files: [{ name: "rows.csv", digest: d("rows") }, { digest: d("more") }] } as const;
const things: readonly Quarantined[] = [device, range, segment, model, dataset];
const put = (what: Quarantined): QuarantineWord => ({ decision: "quarantine", what, reason: "drifted", at: 7 });
const lift = (name: string): QuarantineWord => ({
  decision: "lift",
  lifts: d(name),
  subjects: [{ digest: d("genesis") }],
  reason: "recalibrated",
  at: 8,
});
const words: readonly QuarantineWord[] = [...things.map(put), lift("first")];

test("every quarantine and lifting comes back from its statement, by way of its bytes", () => {
  for (const word of words) {
    const statement = parseStatement(encodeStatement(quarantineStatement(word)));
    assert.equal(statement.predicateType, quarantineType);
    assert.deepEqual(parseQuarantine(statement), word);
  }
});

test("the JSON Schema takes what is written, and refuses with the parser what lacks a field", () => {
  const url = new URL("../../../../docs/schemas/quarantine.schema.json", import.meta.url);
  const validate = new Ajv2020({ strict: true, allErrors: true }).compile(JSON.parse(readFileSync(url, "utf8")));
  const optional = new Set(["since", "until"]);
  for (const word of words) {
    const statement = quarantineStatement(word);
    assert.ok(validate(statement.predicate), JSON.stringify(validate.errors));
    for (const field of Object.keys(statement.predicate)) {
      const { [field]: _, ...without } = statement.predicate;
      const open =
        optional.has(field) || (field === "to" && word.decision === "quarantine" && word.what.kind === "device");
      assert.equal(validate(without), open, field);
      if (open) assert.ok(parseQuarantine({ ...statement, predicate: without }));
      else
        assert.throws(
          () => parseQuarantine({ ...statement, predicate: without }),
          { code: "statement-invalid" },
          field,
        );
    }
  }
});

test("a range that is empty, a ledger of no device, and a segment with two subjects are refused", () => {
  const statement = quarantineStatement(put(range));
  for (const change of [{ to: 10 }, { origin: "tally.example/plane/log" }, { of: "person" }, { decision: "pardon" }]) {
    const wrong = { ...statement, predicate: { ...statement.predicate, ...change } };
    assert.throws(() => parseQuarantine(wrong), { code: "statement-invalid" }, JSON.stringify(change));
  }
  const ofSegment = quarantineStatement(put(segment));
  const two = { ...ofSegment, subject: [...ofSegment.subject, ...ofSegment.subject.map((s) => ({ ...s, name: "b" }))] };
  assert.throws(() => parseQuarantine(two), { code: "statement-invalid", message: /one subject/ });
});

test("a device's quarantine without an end reaches into its later epochs, one with an end does not leave its ledger", () => {
  const at = (epoch: number, index: number) => ({ origin: ledger(epoch), index, model: d("model") });
  const reached = (what: Quarantined) =>
    [at(0, 50), at(1, 9), at(1, 10), at(1, 20), at(2, 0)].map((record) => coversRecord(what, record));
  assert.deepEqual(reached(device), [false, false, true, true, true]);
  assert.deepEqual(reached(range), [false, false, true, false, false]);
  assert.equal(coversRecord(device, { ...at(2, 50), origin: "tally.example/plane/d/000/2" }), false);
  assert.equal(concernsDevice(device, ledger(0)), true);
  assert.equal(concernsDevice(model, ledger(0)), false);
  const entries = (epoch: number, from: number, to: number) => ({ origin: ledger(epoch), from, to });
  assert.deepEqual(
    [entries(1, 0, 10), entries(1, 0, 11), entries(1, 20, 30), entries(2, 0, 5)].map((some) => [
      touches(device, some),
      touches(range, some),
    ]),
    [
      [false, false],
      [true, true],
      [true, false],
      [true, false],
    ],
  );
});

test("a segment's quarantine is of its own model's records, and a dataset's of no record", () => {
  const record = { origin, index: 12, model: d("model") };
  assert.equal(coversRecord(segment, record), true);
  assert.equal(coversRecord(segment, { ...record, model: d("another") }), false);
  assert.equal(coversRecord(model, record), true);
  assert.equal(coversRecord(model, { ...record, model: null }), false);
  assert.equal(coversRecord(dataset, record), false);
});

test("words add up in the order of the log: lifted by the first that names it, and by none that came before", () => {
  const logged = (name: string, word: QuarantineWord) => ({ statement: d(name), word });
  const [first, second] = [logged("first", put(device)), logged("second", put(device))];
  const [early, late, again] = ["early", "late", "again"].map((name) => logged(name, lift("first"))) as [
    typeof first,
    typeof first,
    typeof first,
  ];
  const states = foldQuarantines([early, first, second, late, again]);
  assert.deepEqual(
    states.map(({ from, lifted }) => [from.statement, lifted?.statement ?? null]),
    [
      [d("first"), d("late")],
      [d("second"), null],
    ],
  );
});
