/** Told how work on bytes comes along, by whatever hashes, packs, sends or receives them. */
export interface Progress {
  /** So many bytes are to be worked through, besides those announced before. */
  expect(bytes: number): void;
  /** So many are through: worked through now, or found to be where they belong already. */
  advance(bytes: number, how: "done" | "kept"): void;
}

/** Passes chunks on and reports them. */
export async function* reported(
  source: AsyncIterable<Uint8Array>,
  progress: Progress | undefined,
): AsyncGenerator<Uint8Array> {
  if (progress === undefined) return yield* source;
  for await (const chunk of source) {
    progress.advance(chunk.length, "done");
    yield chunk;
  }
}
