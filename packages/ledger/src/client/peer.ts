import { LedgerError } from "../error.ts";

/** How to reach a witness or mirror. */
export interface PeerOptions {
  /** Sent with every request, such as `Authorization`; a function is asked each time, so that tokens can be renewed. */
  readonly headers?: PeerHeaders;
  /** Milliseconds until a request counts as unanswered, counted anew from each piece of a body that is streamed; default 30,000. */
  readonly timeout?: number;
  /** Gives up when it fires, with its reason. */
  readonly signal?: AbortSignal;
  readonly fetch?: typeof fetch;
}

export type PeerHeaders =
  | Readonly<Record<string, string>>
  | (() => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>);

export interface PeerAnswer {
  readonly status: number;
  /** Content type without parameters. */
  readonly type: string;
  readonly text: string;
}

export interface PeerRequest {
  /** What comes in pieces is sent as it comes, no faster than the peer takes it. What reading it throws, `post` throws. */
  readonly body: Uint8Array<ArrayBuffer> | string | AsyncIterable<Uint8Array>;
  readonly type: string;
  readonly encoding?: "gzip";
}

/** No answer of these protocols is near this size: 16 signatures of 5 kB in base64, or a ticket of 64 kB. */
const MAX_ANSWER_BYTES = 256 * 1024;
const DEFAULT_TIMEOUT = 30_000;

/**
 * Posts to `<url>/<path>` and reads the answer, whatever its status. `url` is the submission prefix.
 * LedgerError `unreachable` when there is none in time, `protocol` when it is too long.
 */
export async function post(url: string, path: string, request: PeerRequest, options: PeerOptions): Promise<PeerAnswer> {
  const { headers = {}, timeout = DEFAULT_TIMEOUT, signal, fetch: send = fetch } = options;
  const target = `${url.replace(/\/+$/, "")}/${path}`;
  const own = typeof headers === "function" ? await headers() : headers;
  const limit = new Silence(timeout);
  const body = new Body(request.body, limit);
  try {
    const response = await send(target, {
      method: "POST",
      headers: {
        ...own,
        "content-type": request.type,
        ...(request.encoding && { "content-encoding": request.encoding }),
      },
      ...body.init,
      signal: signal === undefined ? limit.signal : AbortSignal.any([limit.signal, signal]),
      // A redirected POST may lose its body, and must not carry our headers elsewhere.
      redirect: "manual",
    });
    const type = (response.headers.get("content-type") ?? "").split(";")[0]!.trim();
    return { status: response.status, type, text: await readText(response, target) };
  } catch (error) {
    if (error instanceof LedgerError) throw error;
    if (signal?.aborted) throw signal.reason;
    if (body.failure !== undefined) throw body.failure.error;
    const reason = limit.signal.aborted ? `no answer within ${timeout} ms` : describe(error);
    throw new LedgerError("unreachable", `${target} cannot be reached: ${reason}`, {
      cause: error,
      hint: "check the address and that it is running; nothing is lost, the next sync goes on from here",
    });
  } finally {
    limit.end();
  }
}

/** Fires when nothing has moved for so long. */
class Silence {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(milliseconds: number) {
    this.#timer = setTimeout(() => this.#controller.abort(), milliseconds);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  moved(): void {
    this.#timer.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

/** A request's body as fetch takes it, with what went wrong in reading it: fetch itself says only that it failed. */
class Body {
  failure: { readonly error: unknown } | undefined;
  readonly init: RequestInit;

  constructor(body: PeerRequest["body"], limit: Silence) {
    // Of what comes in pieces fetch makes a stream with backpressure. Only "half" is defined, and it has to be said.
    this.init =
      typeof body === "string" || body instanceof Uint8Array
        ? { body }
        : ({ body: this.#watched(body, limit) as unknown as BodyInit, duplex: "half" } as RequestInit);
  }

  async *#watched(body: AsyncIterable<Uint8Array>, limit: Silence): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const piece of body) {
        limit.moved();
        yield piece;
      }
      limit.moved();
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }
}

async function readText(response: Response, target: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES)
      throw new LedgerError("protocol", `${target} answers more than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

// fetch says only "fetch failed"; the system's error is its cause.
function describe(error: unknown): string {
  const { message, cause } = error as Error;
  const { code, message: inner } = (cause ?? {}) as { code?: string; message?: string };
  return code ?? inner ?? message;
}
