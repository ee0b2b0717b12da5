import { OciError } from "../error.ts";

/** Passes bytes on and throws `size-mismatch` as soon as there are more than `expected`, or at the end when there are fewer. */
export async function* exactly(expected: number, source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let count = 0;
  for await (const chunk of source) {
    count += chunk.length;
    if (count > expected) throw new OciError("size-mismatch", `more than the announced ${expected} bytes arrived`);
    yield chunk;
  }
  if (count < expected) throw new OciError("size-mismatch", `${count} bytes arrived of the announced ${expected}`);
}
