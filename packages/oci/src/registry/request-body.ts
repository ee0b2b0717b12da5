import type { IncomingMessage } from "node:http";
import { OciError } from "../error.ts";
import { passedThrough } from "../small-garbage.ts";
import { Refusal } from "./refusal.ts";

/** A sender that says nothing for this long has gone. */
const idleMilliseconds = 60_000;

/**
 * The bytes of a request as they arrive. Ends well only when all announced bytes came. Leaving early keeps the connection,
 * so that the refusal can still be sent over it.
 */
export async function* requestBody(req: IncomingMessage): AsyncGenerator<Uint8Array> {
  const encoding = req.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    throw new Refusal(
      415,
      "UNSUPPORTED",
      `bodies are taken as they are; Content-Encoding ${encoding} would change their digest`,
    );
  }
  const giveUp = () => req.destroy(new OciError("unreachable", "the sender fell silent in the middle of the body"));
  req.socket?.setTimeout(idleMilliseconds, giveUp);
  try {
    for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      passedThrough(chunk.length);
      yield chunk;
    }
    if (!req.complete) throw new OciError("unreachable", "the connection ended in the middle of the body");
  } finally {
    req.socket?.setTimeout(0);
    req.socket?.off("timeout", giveUp);
  }
}

/** The announced length, undefined for a body sent in chunks of unannounced length. */
export function announcedLength(req: IncomingMessage): number | undefined {
  const header = req.headers["content-length"];
  return header === undefined ? undefined : Number(header);
}

/** The whole body in memory; `too-large` beyond `max` bytes, without reading on. */
export async function smallBody(req: IncomingMessage, max: number): Promise<Uint8Array> {
  const refuse = () => new OciError("too-large", `at most ${max} bytes are taken here`);
  if ((announcedLength(req) ?? 0) > max) throw refuse();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of requestBody(req)) {
    size += chunk.length;
    if (size > max) throw refuse();
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks, size));
}
