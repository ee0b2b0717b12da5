import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { toHex, utf8 } from "../bytes.ts";
import { asHash, type HashText, sha256 } from "../digest.ts";
import { type CommitmentInput, commit, commitText, mediaTypes } from "./index.ts";

const salt = new Uint8Array(32).fill(7);
const content = sha256(utf8("benign"));
const base: CommitmentInput = { role: "output", mediaType: mediaTypes.text, salt, content };

test("a commitment is the hash of its length-prefixed fields", () => {
  const hash = createHash("sha256");
  for (const field of ["tally/commitment/v1", "output", mediaTypes.text, salt, content]) {
    const bytes = Buffer.from(field);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  }
  assert.equal(toHex(commit(base)), hash.digest("hex"));
});

test("another role, media type, salt or content gives another commitment", () => {
  const seen = new Set([
    toHex(commit(base)),
    toHex(commit({ ...base, role: "input" })),
    toHex(commit({ ...base, mediaType: mediaTypes.json })),
    toHex(commit({ ...base, salt: new Uint8Array(32) })),
    toHex(commit({ ...base, content: sha256(utf8("malignant")) })),
  ]);
  assert.equal(seen.size, 5);
});

test("moving a byte from one field to the next changes the commitment", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 20 }), (mediaType) => {
      const role = `output${mediaType[0]}` as CommitmentInput["role"];
      const shifted = commit({ ...base, role, mediaType: mediaType.slice(1) });
      assert.notDeepEqual(shifted, commit({ ...base, mediaType }));
    }),
  );
});

test("whatever came before, every commitment is the hash of its own fields", () => {
  const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const anyInput = fc.record({
    role: fc.constantFrom<CommitmentInput["role"]>("input", "output", "label", "retrieval"),
    mediaType: fc.oneof(fc.constantFrom("text/plain", "application/json"), fc.string({ unit: "grapheme" })),
    salt: bytes32,
    content: bytes32.map(asHash),
  });
  fc.assert(
    fc.property(fc.array(anyInput, { minLength: 1, maxLength: 200 }), (inputs) => {
      for (const { role, mediaType, salt, content } of inputs) {
        const hash = createHash("sha256");
        for (const field of ["tally/commitment/v1", role, mediaType, salt, content]) {
          const bytes = Buffer.from(field);
          const length = Buffer.alloc(4);
          length.writeUInt32BE(bytes.length);
          hash.update(length).update(bytes);
        }
        const expected = hash.digest();
        assert.equal(toHex(commit({ role, mediaType, salt, content })), expected.toString("hex"));
        const text = String.fromCharCode(...content) as HashText;
        assert.equal(commitText(role, mediaType, salt, text), expected.toString("latin1"));
      }
    }),
  );
});

test("a salt of another length is refused", () => {
  assert.throws(() => commit({ ...base, salt: new Uint8Array(16) }), { code: "digest-invalid" });
});
