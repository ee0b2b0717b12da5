import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  compareBytes,
  concatBytes,
  equalBytes,
  fromBase64,
  fromHex,
  fromUtf8,
  toBase64,
  toHex,
  utf8,
} from "./bytes.ts";

const refused = { name: "EvidenceError", code: "encoding-invalid" };

test("base64 and hexadecimal come back as the bytes they were written from", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
      assert.deepEqual(fromHex(toHex(bytes)), bytes);
    }),
  );
});

test("base64 has one spelling: no whitespace, no missing padding, no URL alphabet, no stray bits", () => {
  assert.deepEqual(fromBase64("+/8="), Uint8Array.of(0xfb, 0xff));
  for (const other of ["+/8", "-_8=", "+/9=", " +/8=", "+/8=\n", "+ /8=", "+/8==", "+/8=AAAA", "=", "\u{1d400}"]) {
    assert.throws(() => fromBase64(other), refused, other);
  }
});

test("hexadecimal is lowercase and has whole bytes", () => {
  assert.deepEqual(fromHex("00ff"), Uint8Array.of(0, 255));
  for (const other of ["0", "FF", "0x00", "gg", "00\n", " 00"]) assert.throws(() => fromHex(other), refused, other);
});

test("text comes back from UTF-8 as it was, its byte order mark included", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => assert.equal(fromUtf8(utf8(text)), text)));
  assert.equal(fromUtf8(utf8("\ufeffabc")), "\ufeffabc");
});

test("bytes that are not UTF-8 and text that has none are refused", () => {
  for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82]]) {
    assert.throws(() => fromUtf8(Uint8Array.from(bytes)), refused);
  }
  assert.throws(() => utf8("\ud800"), refused);
});

test("bytes compare as unsigned numbers, a prefix first", () => {
  const ordered = [[], [0], [0, 0], [1], [0x7f], [0x80], [0xff], [0xff, 0]].map((bytes) => Uint8Array.from(bytes));
  for (const [i, a] of ordered.entries()) {
    for (const [j, b] of ordered.entries()) {
      assert.equal(Math.sign(compareBytes(a, b)), Math.sign(i - j));
      assert.equal(equalBytes(a, b), i === j);
    }
  }
});

test("joined bytes keep their order", () => {
  assert.deepEqual(concatBytes(Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)), Uint8Array.of(1, 2, 3));
  assert.equal(concatBytes().length, 0);
});
