import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { contentDigestOf, isContentDigest, parseContentDigest } from "./content-digest.ts";

const empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

test("both algorithms of the image specification are read", () => {
  assert.equal(parseContentDigest(empty), empty);
  assert.equal(contentDigestOf(new Uint8Array()), empty);
  assert.match(parseContentDigest(contentDigestOf(new Uint8Array(), "sha512")), /^sha512:cf83e1357eefb8bd/);
});

test("a refusal says what is wrong", () => {
  assert.throws(() => parseContentDigest(empty.slice(0, -1)), {
    code: "digest-invalid",
    message: /64 hex digits, this has 63/,
  });
  assert.throws(() => parseContentDigest(empty.toUpperCase().replace("SHA", "sha")), { message: /lowercase/ });
  assert.throws(() => parseContentDigest(`md5:${"0".repeat(32)}`), { message: /algorithm/ });
  assert.throws(() => parseContentDigest(`constructor:${"0".repeat(32)}`), { message: /algorithm/ });
  assert.throws(() => parseContentDigest(`${empty}\n`), { code: "digest-invalid" });
});

test("the check and the parser agree on every text", () => {
  const hexish = fc.string({ unit: fc.constantFrom(..."0123456789abcdefAg:\n"), minLength: 60, maxLength: 70 });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        hexish.map((hex) => `sha256:${hex}`),
      ),
      (text) => {
        let parsed = true;
        try {
          parseContentDigest(text);
        } catch {
          parsed = false;
        }
        assert.equal(isContentDigest(text), parsed);
      },
    ),
  );
});
