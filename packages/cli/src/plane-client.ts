import type { ErrorBody } from "@tally/evidence";
import { boundedBody, most, tooMuch } from "./bounded-body.ts";
import { socketFetch } from "./carry/socket-fetch.ts";
import type { Piece } from "./download.ts";
import {
  CliError,
  type ExitCode,
  exitCodes,
  type Flags,
  required,
  type Setting,
  settings,
  type Terminal,
} from "./terminal/index.ts";

/** Flags that every command has which talks to a plane. */
export interface PlaneFlags extends Flags {
  readonly json?: boolean;
}

const timeoutMs = 120_000;
/** A collection of a large registry goes through all of it. */
const linesTimeoutMs = 86_400_000;
/** A plane makes a wide answer before it sends the first byte. */
const answerTimeoutMs = 1_800_000;

const exits: Readonly<Record<number, ExitCode>> = {
  400: exitCodes.usage,
  401: exitCodes.denied,
  403: exitCodes.denied,
  404: exitCodes.usage,
  409: exitCodes.usage,
  413: exitCodes.usage,
  422: exitCodes.usage,
  429: exitCodes.unreachable,
  502: exitCodes.unreachable,
  503: exitCodes.unreachable,
  504: exitCodes.unreachable,
  507: exitCodes.unreachable,
};

/** The plane of `--url` and `--token`, or of what stands for them. @throws CliError usage where no URL is set */
export async function connect(terminal: Terminal, flags: PlaneFlags): Promise<PlaneClient> {
  const { url, token } = await settings(terminal, flags);
  return new PlaneClient(url, token.value, terminal.env.TALLY_INSECURE_HTTP === "1");
}

/**
 * A plane's HTTP API. Refusals become a CliError: 401 and 403 denied, no answer unreachable, what was wrongly asked usage.
 * What comes back is believed only as far as a command verifies it.
 */
export class PlaneClient {
  /** Without a slash at the end. */
  readonly url: string;
  readonly token: string | undefined;
  readonly insecureHttp: boolean;
  /** Of a plane that listens at a path of this machine, where no network is to be taken. */
  readonly socketPath: string | undefined;

  constructor(url: Setting, token: string | undefined, insecureHttp = false, socketPath?: string) {
    this.socketPath = socketPath;
    this.url = baseUrl(url);
    this.token = token;
    this.insecureHttp = insecureHttp;
    if (token !== undefined && !insecureHttp && !isPrivate(new URL(this.url))) {
      throw new CliError(exitCodes.usage, `the token would travel unencrypted to ${this.url}`, {
        hint: "use https, or set TALLY_INSECURE_HTTP=1 where the network itself is trusted",
      });
    }
  }

  /** A JSON answer. Its shape is the type that the plane documents; bytes in it are not verified. */
  async get<T extends object>(path: string): Promise<T> {
    return this.#json<T>(path, await this.#ask("GET", path));
  }

  async post<T extends object>(path: string, body: object): Promise<T> {
    return this.#json<T>(
      path,
      await this.#ask("POST", path, { type: "application/json", bytes: JSON.stringify(body) }),
    );
  }

  async put<T extends object>(path: string, body: object): Promise<T> {
    return this.#json<T>(path, await this.#ask("PUT", path, { type: "application/json", bytes: JSON.stringify(body) }));
  }

  /** The lines of an answer, each a JSON value, as they come. Work between two of them may take long. */
  async *lines<T>(path: string, body: object): AsyncGenerator<T> {
    const asked = { type: "application/json", bytes: JSON.stringify(body) };
    const signal = AbortSignal.timeout(linesTimeoutMs);
    const response = await this.#ask("POST", path, asked, { signal });
    const decoder = new TextDecoder();
    let rest = "";
    try {
      for await (const chunk of response.body ?? []) {
        const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
        rest = lines.pop()!;
        if (rest.length > most.line) throw tooMuch(response.url, most.line);
        for (const line of lines) yield JSON.parse(line) as T;
      }
    } catch (cause) {
      throw cause instanceof CliError ? cause : unreachable(this.url, cause);
    }
  }

  async postBytes<T extends object>(path: string, bytes: Uint8Array, type: string): Promise<T> {
    return this.#json<T>(path, await this.#ask("POST", path, { type, bytes: bytes as Uint8Array<ArrayBuffer> }));
  }

  async bytes(path: string): Promise<Uint8Array> {
    return this.#read(await this.#ask("GET", path), most.file);
  }

  /** What comes after the bytes that are there, of a file that the plane names by a tag; all of it where it has another. */
  async piece(path: string, begun: { readonly bytes: number; readonly tag: string } | undefined): Promise<Piece> {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(new DOMException("", "TimeoutError")), answerTimeoutMs);
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(new DOMException("", "TimeoutError")), timeoutMs);
    };
    try {
      const headers = begun && { range: `bytes=${begun.bytes}-`, "if-range": begun.tag };
      const response = await this.#ask("GET", path, undefined, { signal: silence.signal, ...(headers && { headers }) });
      const [, from, size] = /^bytes (?:(\d+)-\d+|\*)\/(\d+)$/.exec(response.headers.get("content-range") ?? "") ?? [];
      const length = response.headers.get("content-length");
      const tag = response.headers.get("etag") ?? undefined;
      if (response.status === 416 && begun !== undefined) {
        clearTimeout(timer);
        // All of it was there already, or more than there is of it.
        if (Number(size) !== begun.bytes) return await this.piece(path, undefined);
        return { from: begun.bytes, size: begun.bytes, tag, body: readBody(null, heard, () => clearTimeout(timer)) };
      }
      return {
        from: response.status === 206 ? Number(from) : 0,
        size: response.status === 206 ? Number(size) : length === null ? undefined : Number(length),
        tag,
        body: readBody(response.body, heard, () => clearTimeout(timer)),
      };
    } catch (error) {
      clearTimeout(timer);
      throw error;
    }
  }

  async #json<T extends object>(path: string, response: Response): Promise<T> {
    return jsonIn<T>(path, await this.#read(response, most.json));
  }

  async #read(response: Response, max: number): Promise<Uint8Array> {
    return boundedBody(response, max).catch((cause: unknown) => {
      throw cause instanceof CliError ? cause : unreachable(this.url, cause);
    });
  }

  async #ask(
    method: string,
    path: string,
    body?: { type: string; bytes: string | Uint8Array<ArrayBuffer> },
    more: { readonly headers?: Record<string, string>; readonly signal?: AbortSignal } = {},
  ): Promise<Response> {
    const send = this.socketPath === undefined ? fetch : socketFetch(this.socketPath);
    const response = await send(this.url + path, {
      method,
      headers: {
        ...(this.token !== undefined && { authorization: `Bearer ${this.token}` }),
        ...(body && { "content-type": body.type }),
        ...more.headers,
      },
      body: body?.bytes ?? null,
      signal: more.signal ?? AbortSignal.timeout(timeoutMs),
      // A redirect would carry the token elsewhere.
      redirect: "manual",
    }).catch((cause: unknown) => {
      throw unreachable(this.url, cause);
    });
    if (response.ok || (response.status === 416 && more.headers !== undefined)) return response;
    throw await refusal(`${method} ${path.split("?")[0]}`, response, this.token !== undefined);
  }
}

async function* readBody(
  body: ReadableStream<Uint8Array> | null,
  heard: () => void,
  done: () => void,
): AsyncGenerator<Uint8Array> {
  heard();
  try {
    for await (const chunk of body ?? []) {
      heard();
      yield chunk;
    }
  } finally {
    done();
  }
}

function baseUrl(setting: Setting): string {
  const text = required(setting);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (
    url === undefined ||
    !/^https?:$/.test(url.protocol) ||
    url.search !== "" ||
    url.hash !== "" ||
    url.username !== ""
  ) {
    throw new CliError(exitCodes.usage, `${text} (from ${setting.from}) is not the URL of a plane`, {
      hint: "write http://host:port or https://host",
    });
  }
  return url.href.replace(/\/+$/, "");
}

/** Whether nobody on the way reads along: TLS, or this very machine. */
export function isPrivate({ protocol, hostname }: URL): boolean {
  return protocol === "https:" || /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
}

function jsonIn<T extends object>(path: string, bytes: Uint8Array): T {
  const value = parsed(bytes);
  if (typeof value === "object" && value !== null) return value as T;
  throw new CliError(exitCodes.unexpected, `what answers ${path} is no plane: it sends no JSON object`, {
    hint: "check the URL",
  });
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

function unreachable(url: string, cause: unknown): CliError {
  const { code, message } = ((cause as Error).cause ?? cause) as { code?: string; message?: string };
  const why = (cause as Error).name === "TimeoutError" ? `no answer within ${timeoutMs / 1000} s` : (code ?? message);
  return new CliError(exitCodes.unreachable, `the plane at ${url} cannot be reached: ${why}`, {
    cause,
    hint: "check that it runs and that the URL is right; `tally doctor` looks closer",
  });
}

async function refusal(what: string, response: Response, hasToken: boolean): Promise<CliError> {
  const { message, hint, code } = await errorIn(response);
  const exit =
    code === "refuses-to-sign" ? exitCodes.verificationFailed : (exits[response.status] ?? exitCodes.unexpected);
  const next =
    response.status !== 401
      ? hint
      : hasToken
        ? "ask an administrator for another: `tally token create`"
        : "give --token, or set TALLY_TOKEN";
  return new CliError(exit, message ?? `the plane answered ${response.status} to ${what}`, {
    ...(next !== undefined && { hint: next }),
    ...(code !== undefined && { code }),
  });
}

/** What the plane says of it, as far as it is that. */
async function errorIn(response: Response): Promise<{ message?: string; hint?: string; code?: string }> {
  const body = parsed(await boundedBody(response, most.words).catch(() => new Uint8Array())) as
    | Partial<ErrorBody>
    | null
    | undefined;
  const words = (value: unknown) => (typeof value === "string" ? value.slice(0, 2000) : undefined);
  const [message, hint, code] = [body?.error?.message, body?.error?.hint, body?.error?.code].map(words);
  return { ...(message && { message }), ...(hint && { hint }), ...(code && { code }) };
}
