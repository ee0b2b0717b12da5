import { type IncomingMessage, request as plainRequest, type RequestOptions } from "node:http";
import { request as tlsRequest } from "node:https";

/** One request as it goes out. */
export interface Outgoing {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** A chunk of a stream is done with when the next is asked for: its sender may fill the same memory again. */
  readonly body: Uint8Array | AsyncIterable<Uint8Array> | undefined;
  readonly signal: AbortSignal;
  /** Of a server that listens at a path of this machine instead of the URL's host. */
  readonly socketPath: string | undefined;
}

/** What came back, with its body still to be read. */
export interface Answer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body: IncomingMessage;
}

/** A header's values by its name, joined by commas where it came several times. */
export interface AnswerHeaders {
  get(name: string): string | null;
}

/** What a connection that was kept open fails with when its server has closed it meanwhile. */
const closedMeanwhile = ["ECONNRESET", "EPIPE"];

/**
 * Sends a request over a connection that is kept open, follows nothing and decodes nothing. `fetch` costs a copy of all bytes, and gives no sign of when
 * a chunk has left, so that every chunk needs memory of its own (measured: three times the CPU of this for a blob).
 * Resolves when the head of an answer is there, which may be before all of the body was sent; then the rest is not. Throws what the
 * socket throws, or the body's source.
 */
export async function send(outgoing: Outgoing): Promise<Answer> {
  for (let again = false; ; again = true) {
    try {
      return await sendOnce(outgoing);
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error;
      // Whether the server has acted on it nobody knows, and only these change nothing.
      if (again || !["GET", "HEAD"].includes(outgoing.method)) throw error.cause;
    }
  }
}

/** The server closed the connection, perhaps before it saw this request. */
class StaleConnection extends Error {}

function sendOnce({ method, url, headers, body, signal, socketPath }: Outgoing): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options: RequestOptions = { method, headers, signal, ...(socketPath !== undefined && { socketPath }) };
    const req = (url.protocol === "https:" ? tlsRequest : plainRequest)(url, options);
    let ended = false;
    let release = () => {};
    const end = () => {
      ended = true;
      release();
    };
    req.on("error", (error: NodeJS.ErrnoException) => {
      end();
      const stale = req.reusedSocket && closedMeanwhile.includes(error.code ?? "");
      reject(stale ? new StaleConnection(error.message, { cause: error }) : error);
    });
    req.once("response", (message) => {
      end();
      // What was not sent to the end cannot be followed by another request.
      message.once("close", () => req.writableFinished || req.destroy());
      resolve({ status: message.statusCode ?? 0, headers: headersOf(message), body: message });
    });
    if (body === undefined || body instanceof Uint8Array) {
      req.end(body);
      return;
    }
    const write = (chunk: Uint8Array) =>
      new Promise<void>((done, failed) => {
        release = done;
        req.write(chunk, (error) => (error ? failed(error) : done()));
      });
    const sending = async () => {
      for await (const chunk of body) {
        if (!ended) await write(chunk);
        if (ended) return;
      }
      req.end();
    };
    // Comes back as the request's own error when the connection is gone.
    sending().catch((error: Error) => req.destroy(error));
  });
}

function headersOf({ headers }: IncomingMessage): AnswerHeaders {
  return {
    get(name) {
      const value = headers[name.toLowerCase()];
      return value === undefined ? null : [value].flat().join(", ");
    },
  };
}
