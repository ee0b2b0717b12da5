import type { Descriptor } from "../artifact/descriptor.ts";
import { OciError } from "../error.ts";
import { algorithmOf, type ContentDigest, DigestStream, requireDigest } from "../storage/content-digest.ts";
import { chunksOf, discard } from "./reply.ts";
import type { Transport } from "./transport.ts";

/** Connections that may break within one blob before it is given up, counted anew whenever bytes arrive. */
const mostBreaks = 3;

/**
 * Streams a blob, first what is here of it from before, and hashes it on the way; goes on where a broken connection left off. The last step throws when the bytes
 * were not the ones that the digest names, and a known size is enforced from the first chunk.
 */
export async function* verifiedBlob(
  transport: Transport,
  path: string,
  content: ContentDigest | Descriptor,
  begun?: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const { digest, size } = typeof content === "string" ? { digest: content, size: undefined } : content;
  const hash = new DigestStream(algorithmOf(digest));
  let received = 0;
  for await (const chunk of begun ?? []) {
    received += chunk.length;
    if (size !== undefined && received > size) throw wrongSize(digest, size, "more than that");
    hash.update(chunk);
    yield chunk;
  }
  const before = received;
  for (let breaks = 0; ; ) {
    try {
      for await (const chunk of chunksFrom(transport, path, digest, received, size)) {
        received += chunk.length;
        if (size !== undefined && received > size) throw wrongSize(digest, size, "more than that");
        hash.update(chunk);
        breaks = 0;
        yield chunk;
      }
      break;
    } catch (error) {
      breaks += 1;
      const broke = error instanceof OciError && error.code === "unreachable";
      if (!broke || received === before || breaks >= mostBreaks) throw error;
      if (breaks > 1) await transport.pause(breaks);
    }
  }
  if (size !== undefined && received !== size) throw wrongSize(digest, size, `${received}`);
  requireDigest("the blob that the registry sent", digest, hash.digest());
}

async function* chunksFrom(
  transport: Transport,
  path: string,
  digest: ContentDigest,
  offset: number,
  size: number | undefined,
): AsyncGenerator<Uint8Array> {
  if (offset > 0 && offset === size) return;
  const doing = `fetching blob ${digest}`;
  const headers = offset === 0 ? {} : { Range: `bytes=${offset}-` };
  const reply = await transport.call({ method: "GET", url: path, headers, doing }, 200, 206);
  const { status, headers: answered } = reply.response;
  const starts = status === 200 ? 0 : Number(/^bytes (\d+)-/.exec(answered.get("content-range") ?? "")?.[1]);
  if (starts !== offset && starts !== 0) {
    await discard(reply);
    throw new OciError("protocol", `${doing}: asked to go on at ${offset}, the registry began at ${starts}`);
  }
  const announced = answered.get("content-length");
  if (size !== undefined && announced !== null && Number(announced) !== size - starts) {
    await discard(reply);
    throw wrongSize(digest, size, `${starts + Number(announced)}`);
  }
  yield* starts === offset ? chunksOf(reply) : after(offset, chunksOf(reply));
}

/** A registry that cannot begin in the middle sends everything again; what is here already is passed over. */
async function* after(bytes: number, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let left = bytes;
  for await (const chunk of chunks) {
    if (left < chunk.length) yield chunk.subarray(left);
    left = Math.max(0, left - chunk.length);
  }
}

function wrongSize(digest: ContentDigest, expected: number, actual: string): OciError {
  return new OciError("size-mismatch", `${digest} should have ${expected} bytes, the registry sends ${actual}`, {
    hint: "what named this blob, or the registry that serves it, is not telling the truth",
  });
}
