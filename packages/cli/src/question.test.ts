import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceId, questionOf, timeOf } from "./question.ts";

const id = "0123456789abcdef0123456789abcdef";
const other = "00000000000000000000000000000001";

test("times are ISO 8601, dates, or milliseconds", () => {
  assert.equal(timeOf("--from", "2026-01-31"), Date.UTC(2026, 0, 31));
  assert.equal(timeOf("--from", "2026-01-31T12:00:00Z"), Date.UTC(2026, 0, 31, 12));
  assert.equal(timeOf("--from", "1767225600000"), 1767225600000);
  for (const text of ["", "yesterday", "2026-13-01"]) {
    assert.throws(() => timeOf("--from", text), { exitCode: 2, message: /--from .* is no time/ });
  }
});

test("a device is named by its id, also as part of its ledger's name", () => {
  assert.equal(deviceId(id), id);
  assert.equal(deviceId(`tally.example/plane/d/${id}/0`), id);
  for (const text of ["ward-3", id.slice(1), id.toUpperCase()]) assert.throws(() => deviceId(text), { exitCode: 2 });
});

test("what is no device id is named on one line, however many lines it had", () => {
  assert.throws(() => deviceId(`${id}\n${other}\n`), { message: `${id} ${other} is no device id` });
  assert.throws(() => deviceId(""), { message: "(missing) is no device id" });
});

test("devices of a question stand once, in order", () => {
  const question = questionOf({ from: "2026-01-01", to: "2026-01-02", device: [id, other, id] });
  assert.deepEqual(question.devices, [other, id]);
  assert.equal(questionOf({ from: "2026-01-01", to: "2026-01-02", device: [] }).devices, null);
});

test("an interval that is empty is refused", () => {
  assert.throws(() => questionOf({ from: "2026-01-02", to: "2026-01-02" }), { exitCode: 2, message: /is not before/ });
});
