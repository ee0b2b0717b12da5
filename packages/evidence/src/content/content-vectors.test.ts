import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fromHex, toHex } from "../bytes.ts";
import { asHash, sha256 } from "../digest.ts";
import {
  type CommitmentRole,
  commit,
  decodeJson,
  decodeTensors,
  decodeText,
  encodeJson,
  encodeTensors,
  encodeText,
  parseJson,
} from "./index.ts";

interface Encoded {
  readonly hex: string;
  readonly sha256: string;
}

interface Vectors {
  readonly tensors: readonly (Encoded & { readonly name: string; readonly decoded: unknown })[];
  readonly json: readonly (Encoded & { readonly name: string; readonly source: string })[];
  readonly text: readonly (Encoded & { readonly text: string })[];
  readonly commitments: readonly (Record<"mediaType" | "salt" | "content" | "commitment", string> & {
    readonly role: CommitmentRole;
  })[];
}

const file = new URL("../../testdata/content.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as Vectors;

/** JSON as the vectors write it: bytes as hex, integer keys of maps as `{"int64": "…"}`. */
function toJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (typeof value === "bigint") return { int64: value.toString() };
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, toJson(item)]));
}

function assertDigest({ hex, sha256: digest }: Encoded): void {
  assert.equal(toHex(sha256(fromHex(hex))), digest);
}

for (const vector of vectors.tensors) {
  test(`vector: tensors, ${vector.name}`, () => {
    const tensors = decodeTensors(fromHex(vector.hex));
    assert.deepEqual(toJson(tensors), vector.decoded);
    assert.equal(toHex(encodeTensors(tensors)), vector.hex);
    assertDigest(vector);
  });
}

for (const vector of vectors.json) {
  test(`vector: JSON, ${vector.name}`, () => {
    const value = parseJson(vector.source);
    assert.equal(toHex(encodeJson(value)), vector.hex);
    assert.equal(toHex(encodeJson(decodeJson(fromHex(vector.hex)))), vector.hex);
    assertDigest(vector);
  });
}

test("vectors: text", () => {
  for (const vector of vectors.text) {
    assert.equal(toHex(encodeText(vector.text)), vector.hex);
    assert.equal(decodeText(fromHex(vector.hex)), vector.text);
    assertDigest(vector);
  }
});

test("vectors: commitments", () => {
  for (const { role, mediaType, salt, content, commitment } of vectors.commitments) {
    const input = { role, mediaType, salt: fromHex(salt), content: asHash(fromHex(content)) };
    assert.equal(toHex(commit(input)), commitment);
  }
});
