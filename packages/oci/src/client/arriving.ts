import type { IncomingMessage } from "node:http";
import { passedThrough } from "../small-garbage.ts";

/** Bytes that wait here before the connection is told to. */
const mostWaiting = 256 * 1024;

/**
 * The bytes of a message as they arrive. Where the connection breaks, what waits here is given first: a transfer goes on after it. (A
 * message's own iterator throws away what it holds.) Leaving early closes the connection.
 */
export async function* arriving(message: IncomingMessage): AsyncGenerator<Uint8Array> {
  const waiting: Uint8Array[] = [];
  let bytes = 0;
  let ended = false;
  let failure = message.destroyed ? (message.errored ?? closed()) : undefined;
  let wake = () => {};
  message.on("data", (chunk: Uint8Array) => {
    waiting.push(chunk);
    bytes += chunk.length;
    passedThrough(chunk.length);
    if (bytes >= mostWaiting) message.pause();
    wake();
  });
  message.on("end", () => {
    ended = true;
    wake();
  });
  message.on("error", (error) => {
    failure = error;
    wake();
  });
  message.on("close", () => {
    if (!ended) failure ??= closed();
    wake();
  });
  try {
    for (;;) {
      const chunk = waiting.shift();
      if (chunk !== undefined) {
        bytes -= chunk.length;
        if (bytes < mostWaiting && message.isPaused()) message.resume();
        yield chunk;
      } else if (failure !== undefined) throw failure;
      else if (ended) return;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    if (!ended) message.destroy();
  }
}

function closed(): Error {
  return new Error("the connection was closed");
}
