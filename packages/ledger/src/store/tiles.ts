import { encodeEntryBundle, parseTilePath, widthInTree } from "@tally/evidence";
import type { LogReader } from "../log-reader.ts";
import { HASH_BYTES, TILE_WIDTH } from "./layout.ts";

/**
 * A resource of C2SP tlog-tiles for the tree of `size`: a hash tile (32 bytes a hash) or an entry bundle, whole or partial. A
 * partial one is given up to the width that this tree has, since readers may hold an older checkpoint; undefined for
 * everything else.
 */
export async function readTile(log: LogReader, path: string, size: number): Promise<Uint8Array | undefined> {
  const tile = parsePath(path);
  if (tile === undefined) return undefined;
  const { width } = tile;
  const level = tile.level === "entries" ? 0 : tile.level;
  if (width > widthInTree(level, tile.index, size)) return undefined;
  const first = tile.index * TILE_WIDTH;
  if (tile.level === "entries") {
    const entries: Uint8Array[] = [];
    for await (const entry of log.entries(first, first + width)) entries.push(entry);
    return encodeEntryBundle(entries);
  }
  const bytes = new Uint8Array(width * HASH_BYTES);
  for (let i = 0; i < width; i += 1) bytes.set(await log.node(8 * level, first + i), i * HASH_BYTES);
  return bytes;
}

function parsePath(path: string): ReturnType<typeof parseTilePath> | undefined {
  try {
    return parseTilePath(path);
  } catch {
    return undefined;
  }
}
