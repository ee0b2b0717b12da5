import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { sha256 } from "../digest.ts";
import {
  decodeEntryBundle,
  decodeTile,
  encodeEntryBundle,
  encodeTile,
  entriesPath,
  parseTilePath,
  tileOfNode,
  tilePath,
  tilesOfTree,
  widthInTree,
} from "./index.ts";

const invalid = { name: "EvidenceError", code: "tile-invalid" };

test("tile paths are those of the specification", () => {
  assert.equal(tilePath(0, 1234067), "tile/0/x001/x234/067");
  assert.equal(tilePath(63, 0, 17), "tile/63/000.p/17");
  assert.equal(tilePath(1, 999), "tile/1/999");
  assert.equal(tilePath(1, 1000), "tile/1/x001/000");
  assert.equal(entriesPath(3, 112), "tile/entries/003.p/112");
  assert.equal(entriesPath(5), "tile/entries/005");
});

test("a path is read back, for any tile", () => {
  const widths = fc.integer({ min: 1, max: 256 });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 63 }), fc.maxSafeNat(), widths, (level, index, width) => {
      assert.deepEqual(parseTilePath(tilePath(level, index, width)), { level, index, width });
      assert.deepEqual(parseTilePath(entriesPath(index, width)), { level: "entries", index, width });
    }),
  );
});

test("a second way to write a tile's path is refused", () => {
  const wrong =
    "tile/0/0 tile/0/00 tile/0/0000 tile/00/000 tile/64/000 tile/-1/000 tile/0/x000/001 tile/0/001/002 tile/0/x001 " +
    "tile/0/000.p/0 tile/0/000.p/256 tile/0/000.p/01 tile/0/000.p/ tile/0/000/ /tile/0/000 tile/data/000 tile/0/../000 " +
    "tile/0/x999/x999/x999/x999/x999/999 checkpoint";
  for (const path of [...wrong.split(" "), "", "tile/0/000\n"]) assert.throws(() => parseTilePath(path), invalid, path);
  for (const [level, index, width] of [
    [64, 0, 1],
    [0, -1, 1],
    [0, 0.5, 1],
    [0, 0, 0],
    [0, 0, 257],
  ] as const) {
    assert.throws(() => tilePath(level, index, width), invalid);
  }
});

test("a tree of 70,000 has the tiles that the specification counts", () => {
  const tiles = [...tilesOfTree(70_000)];
  const count = (level: number | "entries") =>
    tiles.filter((tile) => tile.level === level && tile.width === 256).length;
  assert.deepEqual([count("entries"), count(0), count(1), count(2)], [273, 273, 1, 0]);
  assert.deepEqual(
    tiles.filter(({ width }) => width < 256),
    [
      { level: "entries", index: 273, width: 112 },
      { level: 0, index: 273, width: 112 },
      { level: 1, index: 1, width: 17 },
      { level: 2, index: 0, width: 1 },
    ],
  );
  assert.deepEqual(
    [...tilesOfTree(256)].map(({ level, width }) => [level, width]),
    [
      ["entries", 256],
      [0, 256],
      [1, 1],
    ],
  );
  assert.deepEqual([...tilesOfTree(0)], []);
  assert.equal(widthInTree(0, 274, 70_000), 0);
});

test("a node of the tree is found in the tile whose hashes lie under it", () => {
  assert.deepEqual(tileOfNode(0, 300), { level: 0, index: 1, from: 44, count: 1 });
  assert.deepEqual(tileOfNode(3, 33), { level: 0, index: 1, from: 8, count: 8 });
  assert.deepEqual(tileOfNode(7, 3), { level: 0, index: 1, from: 128, count: 128 });
  assert.deepEqual(tileOfNode(8, 3), { level: 1, index: 0, from: 3, count: 1 });
});

test("bundles and tiles come back as they were written", () => {
  const bundles = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 256 });
  fc.assert(
    fc.property(bundles, (entries) => assert.deepEqual(decodeEntryBundle(encodeEntryBundle(entries)), entries)),
  );
  const longest = [new Uint8Array(65_535).fill(1), new Uint8Array(0)];
  assert.deepEqual(decodeEntryBundle(encodeEntryBundle(longest)), longest);
  const hashes = Array.from({ length: 256 }, (_, i) => sha256(Uint8Array.of(i)));
  assert.deepEqual(decodeTile(encodeTile(hashes)), hashes);
});

test("a bundle or tile that is cut, empty or too long is refused", () => {
  const bundle = encodeEntryBundle([Uint8Array.of(1, 2, 3), Uint8Array.of(4)]);
  for (const length of [0, 1, 3, 4, 6, 7]) assert.throws(() => decodeEntryBundle(bundle.subarray(0, length)), invalid);
  assert.throws(() => decodeEntryBundle(new Uint8Array(2 * 257)), invalid);
  assert.throws(() => encodeEntryBundle([]), invalid);
  assert.throws(() => encodeEntryBundle([new Uint8Array(65_536)]), { code: "entry-too-large" });
  for (const length of [0, 31, 33, 32 * 257]) assert.throws(() => decodeTile(new Uint8Array(length)), invalid);
});
