import { OciError } from "../error.ts";
import { arriving } from "./arriving.ts";
import type { Deadline } from "./deadline.ts";
import type { Answer } from "./send.ts";

/** An answer whose body is still to be read, under the deadline of its call. */
export interface Reply {
  readonly response: Answer;
  /** Where the response came from, after redirects. */
  readonly url: URL;
  readonly deadline: Deadline;
}

/** The chunks of a body; silence beyond the deadline and broken connections are `unreachable`. */
export async function* chunksOf({ response, deadline, url }: Reply): AsyncGenerator<Uint8Array> {
  const doing = `reading from ${url.origin}`;
  const reader = arriving(response.body);
  try {
    for (;;) {
      const { done, value } = await deadline.listen(doing, () => reader.next());
      if (done) return;
      yield value;
    }
  } finally {
    await reader.return(undefined);
    deadline.end();
  }
}

/** A whole body in memory; `too-large` beyond `max` bytes, without reading on. */
export async function readBounded(reply: Reply, max: number): Promise<Uint8Array> {
  const refuse = () =>
    new OciError("too-large", `${reply.url.origin} sends more than the ${max} bytes that are taken here`);
  if (Number(reply.response.headers.get("content-length") ?? 0) > max) {
    await discard(reply);
    throw refuse();
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunksOf(reply)) {
    size += chunk.length;
    if (size > max) throw refuse();
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks, size));
}

/** Lets go of a body that nobody wants: a short one is read, so that its connection can be used again. */
export async function discard(reply: Reply): Promise<void> {
  let size = 0;
  try {
    for await (const chunk of chunksOf(reply)) {
      size += chunk.length;
      if (size > 64 * 1024) return;
    }
  } catch {
    // What was to be thrown away did not arrive.
  }
}
