import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EdgeError } from "../error.ts";
import { decimal, encodeParameters } from "./decimal.ts";

test("a fraction is kept as the decimal that it is written as", () => {
  assert.deepEqual(decimal(0.7), [-1, 7]);
  assert.deepEqual(decimal(-1.25), [-2, -125]);
  assert.deepEqual(decimal(1e-7), [-7, 1]);
  assert.deepEqual(decimal(1e21), [21, 1]);
  assert.equal(decimal(42), 42);
  assert.equal(decimal(-0), 0);
});

test("every decimal reads back as the same double", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      let encoded: ReturnType<typeof decimal>;
      try {
        encoded = decimal(value);
      } catch (error) {
        assert.ok(error instanceof EdgeError);
        return;
      }
      const [exponent, mantissa] = Array.isArray(encoded) ? encoded : [0, encoded];
      assert.equal(Number(`${mantissa}e${exponent}`), value === 0 ? 0 : value);
    }),
  );
});

test("what is not finite and what has no name is refused", () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) assert.throws(() => decimal(value), EdgeError);
  assert.throws(() => encodeParameters({ heat: 1 } as never), /no parameter is called heat/);
});
