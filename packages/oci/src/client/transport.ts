import { setTimeout } from "node:timers/promises";
import { OciError } from "../error.ts";
import { type CredentialOptions, Credentials } from "./credentials.ts";
import { Deadline } from "./deadline.ts";
import { failureOf } from "./failure.ts";
import { discard, type Reply, readBounded } from "./reply.ts";
import { send } from "./send.ts";

export interface TransportOptions extends CredentialOptions {
  /** `https://host[:port]`, or `http://` for one on this machine. */
  readonly url: string;
  /** Of a server that listens at a path of this machine: `url` then says only what it is called. */
  readonly socketPath?: string;
  /** The longest silence of the registry, in milliseconds; 30 s by default. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /** Milliseconds, doubled each time, before something that failed is tried again; 250 by default. */
  readonly retryPause?: number;
  /** Lets the token travel over plain HTTP to other machines, where everyone on the way can read it. */
  readonly insecureHttp?: boolean;
}

export interface Call {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** A path of the registry, or a place that it named. */
  readonly url: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes can be sent twice if need be, a stream cannot. A stream of unknown size is sent in chunks. */
  readonly body?: Uint8Array | { readonly stream: AsyncIterable<Uint8Array>; readonly size: number | undefined };
  /** For error messages: what this is for. */
  readonly doing: string;
  /** What the registry has to do before it answers takes as long as the content is large. */
  readonly patient?: boolean;
}

const mostRedirects = 5;
/** A registry hashes and syncs a large upload before it answers. */
const patienceAfterUpload = 5 * 60_000;

/** Requests to one registry: credentials for it and for nobody else, redirects, timeouts. */
export class Transport {
  readonly origin: URL;
  readonly #options: TransportOptions;
  readonly #credentials: Credentials;

  constructor(options: TransportOptions) {
    this.origin = parseOrigin(options.url);
    if (options.token !== undefined && !options.insecureHttp && !isPrivate(this.origin)) {
      throw new OciError("unauthorized", `the token would travel unencrypted to ${this.origin.origin}`, {
        hint: "use https",
      });
    }
    this.#options = options;
    this.#credentials = new Credentials(this.origin.origin, options);
  }

  /** Sends a call and resolves to any reply with a status in `expected`; throws what other replies amount to. */
  async call(call: Call, ...expected: number[]): Promise<Reply> {
    const reply = await this.#authenticated(call);
    if (expected.includes(reply.response.status)) return reply;
    throw await failureOf(reply, call.doing);
  }

  /** Waits before something is tried again that failed `times` times in a row, longer each time. */
  async pause(times: number): Promise<void> {
    const { retryPause = 250, signal } = this.#options;
    await setTimeout(retryPause * 2 ** times, undefined, { ...(signal && { signal }) }).catch((cause) => {
      throw new OciError("aborted", "aborted while waiting to try again", { cause });
    });
  }

  async #authenticated(call: Call): Promise<Reply> {
    for (let exchanged = false; ; ) {
      const sent = this.#credentials.header;
      const reply = await this.#redirected(call);
      if (reply.response.status !== 401 || reply.url.origin !== this.origin.origin) return reply;
      const spent = call.body !== undefined && "stream" in call.body;
      // A request beside this one has been asked meanwhile, and has answered.
      if (sent === undefined && this.#credentials.header !== undefined && !spent) {
        await discard(reply);
        continue;
      }
      const answer = this.#credentials.answer(reply.response.headers.get("www-authenticate"));
      if (answer === undefined || spent || (answer.kind === "exchange" && exchanged)) return reply;
      await discard(reply);
      if (answer.kind === "exchange") exchanged = true;
      this.#credentials.use(answer.kind === "header" ? answer.header : await this.#exchange(answer.url, answer.header));
    }
  }

  /** Follows redirects. The Authorization header goes to the registry's own origin only. */
  async #redirected(call: Call): Promise<Reply> {
    let url = new URL(call.url, this.origin);
    for (let hop = 0; ; hop += 1) {
      const header = url.origin === this.origin.origin ? this.#credentials.header : undefined;
      const reply = await this.#send(url, call, header === undefined ? {} : { Authorization: header });
      const location = reply.response.headers.get("location");
      if (![301, 302, 303, 307, 308].includes(reply.response.status) || location === null) return reply;
      await discard(reply);
      if (hop === mostRedirects) throw new OciError("protocol", `${call.doing}: more than ${mostRedirects} redirects`);
      url = this.#nextHop(url, location, call);
    }
  }

  #nextHop(from: URL, location: string, call: Call): URL {
    const to = URL.canParse(location, from) ? new URL(location, from) : undefined;
    if (to === undefined || !/^https?:$/.test(to.protocol)) {
      throw new OciError("protocol", `${call.doing}: redirected to ${JSON.stringify(location.slice(0, 200))}`);
    }
    if (from.protocol === "https:" && to.protocol === "http:") {
      throw new OciError("protocol", `${call.doing}: redirected from https to plain http at ${to.origin}`);
    }
    if (call.method !== "GET" && call.method !== "HEAD") {
      throw new OciError(
        "protocol",
        `${call.doing}: the registry redirects a ${call.method} to ${to.origin}, which is not followed`,
      );
    }
    return to;
  }

  async #send(url: URL, call: Call, authorization: Record<string, string>): Promise<Reply> {
    const deadline = new Deadline(this.#options.timeout ?? 30_000, this.#options.signal);
    const { body } = call;
    const streamed = body !== undefined && "stream" in body;
    const outgoing = {
      method: call.method,
      url,
      headers: {
        // Bytes are verified as they are; nothing on the way may pack them.
        "Accept-Encoding": "identity",
        "User-Agent": "tally",
        ...call.headers,
        ...authorization,
        ...lengthOf(body),
      },
      body: streamed ? watched(body.stream, deadline) : body,
      signal: deadline.signal,
      socketPath: this.#options.socketPath,
    };
    const patience = streamed || call.patient ? Math.max(patienceAfterUpload, this.#options.timeout ?? 0) : undefined;
    const response = await deadline.guard(call.doing, () => send(outgoing), patience);
    return { response, url, deadline };
  }

  /** Docker's token protocol: fetches a token for the scope that the challenge named. */
  async #exchange(url: URL, header: string | undefined): Promise<string> {
    const doing = `asking ${url.origin} for a token`;
    if (this.origin.protocol === "https:" && url.protocol !== "https:") {
      throw new OciError("protocol", `${doing}: it is not https, though the registry is`);
    }
    const reply = await this.#send(
      url,
      { method: "GET", url, doing },
      header === undefined ? {} : { Authorization: header },
    );
    if (reply.response.status !== 200) throw await failureOf(reply, doing);
    const token = tokenIn(await readBounded(reply, 1024 * 1024));
    if (token === undefined) throw new OciError("protocol", `${doing}: none came`);
    return `Bearer ${token}`;
  }
}

function lengthOf(body: Call["body"]): Record<string, string> {
  const length = body !== undefined && "stream" in body ? body.size : body?.length;
  return length === undefined ? {} : { "Content-Length": String(length) };
}

function tokenIn(bytes: Uint8Array): string | undefined {
  try {
    const body = JSON.parse(new TextDecoder().decode(bytes));
    const token: unknown = body.token ?? body.access_token;
    return typeof token === "string" && /^[\x21-\x7e]+$/.test(token) ? token : undefined;
  } catch {
    return undefined;
  }
}

/** Sending is a sign of life as much as receiving is. */
async function* watched(stream: AsyncIterable<Uint8Array>, deadline: Deadline): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) {
    deadline.alive();
    yield chunk;
  }
  deadline.alive();
}

function parseOrigin(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (
    url === undefined ||
    !/^https?:$/.test(url.protocol) ||
    url.username !== "" ||
    url.search !== "" ||
    url.hash !== "" ||
    url.pathname !== "/"
  ) {
    throw new OciError(
      "name-invalid",
      `${JSON.stringify(text)} is not a registry's address, as in https://registry.example:5000`,
    );
  }
  return url;
}

function isPrivate(url: URL): boolean {
  return url.protocol === "https:" || /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
}
