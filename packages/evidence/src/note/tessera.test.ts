// A real log of another implementation: sixteen checkpoints, tiles and entry bundles of transparency-dev/tessera.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import {
  consistencyRanges,
  hashLeaf,
  inclusionRanges,
  proofFromRanges,
  rootOf,
  verifyConsistency,
  verifyInclusion,
} from "../merkle/index.ts";
import {
  decodeEntryBundle,
  decodeTile,
  entriesPath,
  parseCheckpoint,
  parseVkey,
  tilePath,
  verifyAllOf,
} from "./index.ts";

const folder = new URL("../../../../../shared/vectors/tlog-tiles/tessera-log/", import.meta.url);
const skip = existsSync(folder) ? false : "the published log is not here";
const key = parseVkey("example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx");
const lastSize = 15;

const read = (path: string) => new Uint8Array(readFileSync(new URL(path, folder)));
const checkpointOf = (size: number) => verifyAllOf(parseCheckpoint(read(`checkpoint.${size}`)).note, key.name, [key]);

test("every checkpoint of the log verifies and says its size", { skip }, () => {
  for (let size = 0; size <= lastSize; size++) assert.equal(checkpointOf(size).size, size);
  assert.deepEqual(read("checkpoint"), read(`checkpoint.${lastSize}`));
});

test("tiles and entry bundles of every size reproduce the signed root", { skip }, () => {
  assert.deepEqual(rootOf([]), checkpointOf(0).root);
  for (let size = 1; size <= lastSize; size++) {
    const entries = decodeEntryBundle(read(entriesPath(0, size)));
    const hashes = decodeTile(read(tilePath(0, 0, size)));
    assert.deepEqual(entries.map(hashLeaf), hashes);
    assert.deepEqual(rootOf(hashes), checkpointOf(size).root);
  }
});

test("proofs planned over its last tile hold against all of its checkpoints", { skip }, async () => {
  const hashes = decodeTile(read(tilePath(0, 0, lastSize)));
  const node = (level: number, index: number) => rootOf(hashes.slice(index * 2 ** level, (index + 1) * 2 ** level));
  const last = checkpointOf(lastSize);
  for (let size = 1; size <= lastSize; size++) {
    const proof = await proofFromRanges(consistencyRanges(size, lastSize), node);
    verifyConsistency(size, lastSize, checkpointOf(size).root, last.root, proof);
    const path = await proofFromRanges(inclusionRanges(size - 1, lastSize), node);
    verifyInclusion(size - 1, lastSize, hashes[size - 1]!, path, last.root);
  }
});
