import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "./bytes.ts";
import {
  asHash,
  digestFromHash,
  digestOf,
  hashFromDigest,
  hashFromText,
  isDigest,
  parseDigest,
  putHash,
  sha256,
  sha256Text,
} from "./digest.ts";

const empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

test("a digest is written and read as sha256 and 64 lowercase hex digits", () => {
  assert.equal(digestOf(new Uint8Array(0)), empty);
  assert.equal(parseDigest(empty), empty);
  assert.equal(digestFromHash(hashFromDigest(parseDigest(empty))), empty);
  assert.equal(isDigest(empty), true);
});

test("another spelling of a digest is refused with the reason", () => {
  const cases: [string, RegExp][] = [
    [empty.slice(7), /names no algorithm/],
    ["sha512:00", /algorithm "sha512"/],
    ["SHA256:00", /algorithm "SHA256"/],
    [empty.slice(0, -1), /has 63 hex digits/],
    [`${empty}\n`, /has 65 hex digits/],
    [empty.toUpperCase().replace("SHA", "sha"), /uppercase/],
    [`${empty.slice(0, -1)}g`, /not hex digits/],
    [`${empty.slice(0, -1)}\n`, /not hex digits/],
  ];
  for (const [text, why] of cases) {
    assert.throws(() => parseDigest(text), { name: "EvidenceError", code: "digest-invalid", message: why });
    assert.equal(isDigest(text), false);
  }
});

test("a hash has 32 bytes", () => {
  assert.equal(asHash(sha256(utf8("x"))).length, 32);
  assert.throws(() => asHash(new Uint8Array(31)), { code: "digest-invalid" });
});

test("a hash kept as text is the same 32 bytes", () => {
  for (let length = 0; length < 200; length++) {
    const bytes = new Uint8Array(length).fill(length);
    const text = sha256Text(bytes);
    assert.equal(text.length, 32);
    assert.deepEqual(hashFromText(text), sha256(bytes));
    const into = new Uint8Array(40);
    putHash(text, into, 5);
    assert.deepEqual(into, Uint8Array.of(0, 0, 0, 0, 0, ...sha256(bytes), 0, 0, 0));
  }
});
