import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fromHex, toHex } from "../bytes.ts";
import { hashLeaf } from "../merkle/index.ts";
import { decodeEntry, decodeHeadLeaf, encodeEntry, encodeHeadLeaf, entryKindCodes, headsRoot } from "./index.ts";

interface Vectors {
  readonly entries: readonly Vector[];
  readonly headLeaves: { readonly leaves: readonly Vector[]; readonly root: string };
  readonly refused: readonly { readonly name: string; readonly hex: string; readonly code: string }[];
}

interface Vector {
  readonly name: string;
  readonly hex: string;
  readonly decoded: unknown;
  readonly leafHash: string;
}

const file = new URL("../../testdata/entries.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as Vectors;

/** JSON as the vectors write it: bytes as hex, maps as lists of [key, value]. */
function toJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (value instanceof Map) return [...value].map(([key, item]) => [key, toJson(item)]);
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, toJson(item)]));
}

for (const { name, hex, decoded, leafHash } of vectors.entries) {
  test(`vector: ${name}`, () => {
    const bytes = fromHex(hex);
    const entry = decodeEntry(bytes);
    assert.deepEqual(toJson(entry), decoded);
    assert.equal(toHex(hashLeaf(bytes)), leafHash);
    const later = name.includes("later version");
    if (!later) assert.equal(toHex(encodeEntry(entry)), hex);
  });
}

test("the vectors cover every kind of entry", () => {
  const covered = new Set(vectors.entries.map(({ hex }) => decodeEntry(fromHex(hex)).kind));
  for (const kind of Object.keys(entryKindCodes)) assert.ok(covered.has(kind as keyof typeof entryKindCodes), kind);
});

for (const { name, hex, code } of vectors.refused) {
  test(`vector: ${name} is refused`, () => {
    assert.throws(() => decodeEntry(fromHex(hex)), { code });
  });
}

test("vector: head leaves and the root over them", () => {
  const leaves = vectors.headLeaves.leaves.map(({ hex, decoded, leafHash }) => {
    const leaf = decodeHeadLeaf(fromHex(hex));
    assert.deepEqual(toJson(leaf), decoded);
    assert.equal(toHex(encodeHeadLeaf(leaf)), hex);
    assert.equal(toHex(hashLeaf(fromHex(hex))), leafHash);
    return leaf;
  });
  assert.equal(toHex(headsRoot(leaves)), vectors.headLeaves.root);
});
