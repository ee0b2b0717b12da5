import { LedgerError } from "../error.ts";

/** How to reach a witness or mirror. */
export interface PeerOptions {
  /** Sent with every request, such as `Authorization`; a function is asked each time, so that tokens can be renewed. */
  readonly headers?: PeerHeaders;
  /** Milliseconds until a request counts as unanswered; default 30,000. */
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
  readonly body: Uint8Array<ArrayBuffer> | string;
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
  const limit = AbortSignal.timeout(timeout);
  try {
    const response = await send(target, {
      method: "POST",
      headers: {
        ...own,
        "content-type": request.type,
        ...(request.encoding && { "content-encoding": request.encoding }),
      },
      body: request.body,
      signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
      // A redirected POST may lose its body, and must not carry our headers elsewhere.
      redirect: "manual",
    });
    const type = (response.headers.get("content-type") ?? "").split(";")[0]!.trim();
    return { status: response.status, type, text: await readText(response, target) };
  } catch (error) {
    if (error instanceof LedgerError) throw error;
    if (signal?.aborted) throw signal.reason;
    const reason = limit.aborted ? `no answer within ${timeout} ms` : describe(error);
    throw new LedgerError("unreachable", `${target} cannot be reached: ${reason}`, {
      cause: error,
      hint: "check the address and that it is running; nothing is lost, the next sync goes on from here",
    });
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
