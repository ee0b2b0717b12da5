import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromUtf8 } from "../bytes.ts";
import { decodeJson, decodeText, encodeJson, encodeText, type JsonValue, parseJson } from "./index.ts";

const refuses = (text: string, why: RegExp) =>
  assert.throws(() => parseJson(text), { name: "EvidenceError", code: "content-invalid", message: why });

test("the example of RFC 8785 section 3.2.2 takes its canonical form", () => {
  const source = String.raw`{
    "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
    "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
    "literals": [null, true, false]
  }`;
  const canonical = String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`;
  assert.equal(fromUtf8(encodeJson(parseJson(source))), canonical);
});

test("names are sorted by UTF-16 units, as RFC 8785 section 3.2.3 lists them", () => {
  const names = ["\u20ac", "\r", "\ufb33", "1", "\u{1f600}", "\u0080", "\u00f6"];
  const value = Object.fromEntries(names.map((name) => [name, 0]));
  const order = Object.keys(parseJson(encodeJson(value)) as object).filter((name) => name !== "1");
  assert.deepEqual(order, ["\r", "\u0080", "\u00f6", "\u20ac", "\u{1f600}", "\ufb33"]);
});

test("every JSON value comes back from its canonical form", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      const plain = JSON.parse(text) as JsonValue;
      assert.deepEqual(decodeJson(encodeJson(plain)), plain);
      assert.deepEqual(parseJson(text), plain);
    }),
  );
});

test("a name that stands twice in one object is refused, however it is spelt", () => {
  refuses('{"a":1,"a":2}', /"a" stands twice/);
  refuses('{"a":1,"\\u0061":2}', /"a" stands twice/);
  refuses('[{"b":{"a":1 , "c":[{}], "a" : 2}}]', /stands twice/);
  assert.deepEqual(parseJson('[{"a":"a"},{"a":["a","a"]},{"b":{"a":1},"a":2}]'), [
    { a: "a" },
    { a: ["a", "a"] },
    { b: { a: 1 }, a: 2 },
  ]);
  assert.deepEqual(parseJson('{"a":"{\\"a\\":1,\\"a\\":2}"}'), { a: '{"a":1,"a":2}' });
});

test("numbers that not every reader understands alike are refused", () => {
  refuses("[1e400]", /finite/);
  refuses("[9007199254740993]", /cannot carry/);
  assert.deepEqual(
    parseJson("[9007199254740991, -9007199254740991, 0.1, -0, 1e21]"),
    [9007199254740991, -9007199254740991, 0.1, -0, 1e21],
  );
});

test("lone surrogates, malformed UTF-8, byte order marks and anything else that is not JSON are refused", () => {
  refuses('["\\ud800"]', /lone surrogate/);
  refuses('{"\\udc00":1}', /lone surrogate/);
  refuses("\ufeff{}", /./);
  refuses("[1,]", /./);
  refuses("", /./);
  assert.throws(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22)), { code: "content-invalid" });
});

test("what JSON cannot carry is refused when encoding", () => {
  const notJson: unknown[] = [
    undefined,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    [undefined],
    { a: undefined },
    new Date(0),
  ];
  notJson.push({ a: () => 1 }, new Map(), 1n, "\ud800", { "\ud800": 1 }, new Uint8Array(1), { toJSON: () => 1 });
  for (const value of notJson) {
    assert.throws(() => encodeJson(value as JsonValue), { code: "content-invalid" }, String(value));
  }
});

test("JSON content in any but the canonical form is refused", () => {
  assert.throws(() => decodeJson(encodeText('{"b":1,"a":2}')), { message: /canonical/ });
  assert.throws(() => decodeJson(encodeText("[1.0]")), { message: /canonical/ });
});

test("text is kept as it is, and lone surrogates are refused", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      assert.equal(decodeText(encodeText(text)), text);
    }),
  );
  assert.equal(decodeText(encodeText("\ufeffe\u0301")), "\ufeffe\u0301");
  assert.throws(() => encodeText("\udfff"), { code: "content-invalid" });
  assert.throws(() => decodeText(Uint8Array.of(0xc0)), { code: "content-invalid" });
});
