// C2SP tlog-tiles: where the hashes and entries of a log are served.
//
//     tile/0/x001/x234/067          full: 256 hashes of level 0, from leaf 1234067·256
//     tile/1/000.p/17               partial: the first 17
//     tile/entries/003.p/112        112 entries, from entry 768
import { EvidenceError } from "../error.ts";

/** Hashes in a full tile, entries in a full bundle. */
export const tileWidth = 256;
/** Levels of the tree between one level of tiles and the next. */
const tileHeight = 8;

/** A tile of hashes, or a bundle of entries. `width` is 256 for a full one. */
export interface TileId {
  readonly level: number | "entries";
  readonly index: number;
  readonly width: number;
}

/**
 * Path of a tile below the log's prefix, without a leading slash.
 *
 * @param width 1 to 256, full if left out
 * @throws EvidenceError `tile-invalid`
 */
export function tilePath(level: number, index: number, width: number = tileWidth): string {
  if (!Number.isInteger(level) || level < 0 || level > 63) throw invalid(`there is no tile level ${level}`);
  return `tile/${level}/${numberPath(index)}${widthSuffix(width)}`;
}

/**
 * Path of a bundle of entries.
 *
 * @param width 1 to 256, full if left out
 * @throws EvidenceError `tile-invalid`
 */
export function entriesPath(index: number, width: number = tileWidth): string {
  return `tile/entries/${numberPath(index)}${widthSuffix(width)}`;
}

/**
 * Reads a path as {@link tilePath} and {@link entriesPath} write it.
 *
 * @throws EvidenceError `tile-invalid`
 */
export function parseTilePath(path: string): TileId {
  const match = /^tile\/(entries|[0-9]{1,2})\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([0-9]{1,3}))?$/.exec(path);
  if (match === null) throw invalid(`"${path.slice(0, 60)}" is not the path of a tile`);
  const [, level, number, partial] = match;
  const index = Number(number!.replace(/[x/]/g, ""));
  const width = partial === undefined ? tileWidth : Number(partial);
  const written = level === "entries" ? entriesPath(index, width) : tilePath(Number(level), index, width);
  if (written !== path) throw invalid(`"${path}" is not the one path of that tile: it is ${written}`);
  return Object.freeze({ level: level === "entries" ? level : Number(level), index, width });
}

/** How many hashes that tile has in a tree of `size` leaves: 256 if it is full, 0 if it does not exist. */
export function widthInTree(level: number, index: number, size: number): number {
  const hashes = Math.floor(size / tileWidth ** level);
  return Math.min(tileWidth, Math.max(0, hashes - index * tileWidth));
}

/** All tiles and entry bundles of a tree of `size` leaves, bundles first, then level by level. */
export function* tilesOfTree(size: number): Generator<TileId> {
  for (let index = 0; index * tileWidth < size; index++) {
    yield { level: "entries", index, width: widthInTree(0, index, size) };
  }
  for (let level = 0; tileWidth ** level <= size; level++) {
    for (let index = 0; widthInTree(level, index, size) > 0; index++) {
      yield { level, index, width: widthInTree(level, index, size) };
    }
  }
}

/**
 * The tile that holds a node of the tree, and which of the tile's hashes the node is the root of: `count` of them, from
 * `from`.
 */
export function tileOfNode(
  level: number,
  index: number,
): { level: number; index: number; from: number; count: number } {
  const count = 2 ** (level % tileHeight);
  const first = index * count;
  return {
    level: Math.floor(level / tileHeight),
    index: Math.floor(first / tileWidth),
    from: first % tileWidth,
    count,
  };
}

function numberPath(index: number): string {
  if (!Number.isSafeInteger(index) || index < 0) throw invalid(`there is no tile ${index}`);
  const digits = String(index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, "0");
  return padded.replace(/[0-9]{3}(?=[0-9])/g, "x$&/");
}

function widthSuffix(width: number): string {
  if (!Number.isInteger(width) || width < 1 || width > tileWidth) throw invalid(`a tile cannot be ${width} wide`);
  return width === tileWidth ? "" : `.p/${width}`;
}

function invalid(why: string): EvidenceError {
  return new EvidenceError("tile-invalid", why);
}
