import { request } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

/** `fetch` to a server that listens at a path of this machine: it takes no network, not even the loopback interface. */
export function socketFetch(socketPath: string): typeof fetch {
  return async (target, init = {}) => {
    const url = new URL(target instanceof Request ? target.url : target);
    const headers = Object.fromEntries(new Headers(init.headers));
    const { method = "GET", signal } = init;
    const sent = request({
      socketPath,
      path: url.pathname + url.search,
      method,
      headers: { host: url.host, ...headers },
      ...(signal && { signal }),
    });
    const answered = new Promise<Response>((resolve, reject) => {
      sent.once("error", reject);
      sent.once("response", (message) => {
        const { statusCode: status = 500 } = message;
        const bodiless = method === "HEAD" || status === 204 || status === 304;
        if (bodiless) message.resume();
        const body = bodiless ? null : (Readable.toWeb(message) as ReadableStream<Uint8Array>);
        const said = Object.entries(message.headers).flatMap(([name, value]) =>
          value === undefined ? [] : [[name, [value].flat().join(", ")] as [string, string]],
        );
        resolve(new Response(body as BodyInit | null, { status, headers: said }));
      });
    });
    // A server may answer before it has read everything.
    pipeline(bodyOf(init.body), sent).catch((error: unknown) => sent.destroy(error as Error));
    return answered;
  };
}

function bodyOf(body: unknown): Readable {
  if (body === undefined || body === null) return Readable.from([]);
  if (typeof body === "string" || body instanceof Uint8Array) return Readable.from([Buffer.from(body)]);
  return Readable.from(body as AsyncIterable<Uint8Array>);
}
