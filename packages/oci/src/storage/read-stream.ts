import { createReadStream } from "node:fs";
import { passedThrough } from "../small-garbage.ts";

/** The bytes [start, end) of a file, in chunks that belong to whoever is given them: for those who cannot say when they are done with one. */
export async function* readFileStream(
  path: string,
  { start = 0, end = Number.POSITIVE_INFINITY }: { readonly start?: number; readonly end?: number } = {},
): AsyncGenerator<Uint8Array> {
  if (start >= end) return;
  for await (const chunk of createReadStream(path, { start, end: end - 1, highWaterMark: 256 * 1024 })) {
    passedThrough(chunk.length);
    yield chunk;
  }
}
