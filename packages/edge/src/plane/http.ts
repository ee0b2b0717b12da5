import { EdgeError, messageOf } from "../error.ts";
import { asObject, parseObject } from "../folder/json.ts";

/** One request to the plane. */
export interface PlaneRequest {
  readonly method: "GET" | "POST" | "PUT";
  /** Path and query, from the plane's base URL, with a leading slash. */
  readonly path: string;
  /** A token that is used once, as for enrolment. */
  readonly token?: string;
  /** Whose tokens are used, and renewed when the plane no longer knows one. */
  readonly session?: TokenSource;
  readonly body?: { readonly type: string; readonly bytes: Uint8Array };
  /** Most bytes that a sensible answer has. Default 1 MiB. */
  readonly most?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface TokenSource {
  token(): Promise<string>;
  forget(): void;
}

export interface PlaneAnswer {
  readonly status: number;
  /** Content type without parameters. */
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** Too many requests, bad gateway, not ready, gateway timeout: somebody answers, but not the plane, or not yet. */
export const notNow: readonly number[] = [429, 502, 503, 504];

const timeoutMs = 30_000;
const mostByDefault = 1024 * 1024;

/**
 * Asks the plane and resolves to an answer of status 2xx.
 *
 * @throws EdgeError `unreachable` when there is no answer in time, `blocked` when the plane keeps this device out,
 *   `denied` when it does not take the token, `plane-refused` with its words for every other status.
 */
export async function askPlane(url: string, request: PlaneRequest): Promise<PlaneAnswer> {
  return accepted(url, request, await sendAs(url, request));
}

function accepted(url: string, request: PlaneRequest, answer: PlaneAnswer): PlaneAnswer {
  if (answer.status >= 200 && answer.status < 300) return answer;
  if (notNow.includes(answer.status)) {
    throw unreachable(url, errorIn(answer.bytes).message ?? `status ${answer.status}`, undefined);
  }
  throw refusalOf(request, answer);
}

/** As `askPlane`; undefined where the plane has nothing there. */
export async function findAtPlane(url: string, request: PlaneRequest): Promise<PlaneAnswer | undefined> {
  const answer = await sendAs(url, request);
  return answer.status === 404 ? undefined : accepted(url, request, answer);
}

/** The answer as a JSON object. */
export function jsonOf({ bytes }: PlaneAnswer, what: string): Readonly<Record<string, unknown>> {
  return parseObject(textOf(bytes), what, "plane-refused");
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** A JSON body. */
export function jsonBody(value: object): { type: string; bytes: Uint8Array } {
  return { type: "application/json", bytes: new TextEncoder().encode(JSON.stringify(value)) };
}

async function sendAs(url: string, request: PlaneRequest): Promise<PlaneAnswer> {
  const { session, token } = request;
  if (session === undefined) return send(url, request, token);
  const answer = await send(url, request, await session.token());
  if (answer.status !== 401) return answer;
  // The plane may have forgotten its sessions, as after a restore.
  session.forget();
  return send(url, request, await session.token());
}

async function send(url: string, request: PlaneRequest, token: string | undefined): Promise<PlaneAnswer> {
  const { method, path, body, most = mostByDefault, signal } = request;
  const limit = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body && { "content-type": body.type }),
      },
      body: body === undefined ? null : (body.bytes as Uint8Array<ArrayBuffer>),
      signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
      // A redirect would carry the token elsewhere.
      redirect: "manual",
    });
    const type = (response.headers.get("content-type") ?? "").split(";")[0]!.trim();
    return { status: response.status, type, bytes: await readBounded(response, most, path) };
  } catch (cause) {
    if (cause instanceof EdgeError) throw cause;
    if (signal?.aborted) throw signal.reason;
    throw unreachable(url, limit.aborted ? `no answer within ${timeoutMs} ms` : reasonOf(cause), cause);
  }
}

export function unreachable(url: string, why: string, cause: unknown): EdgeError {
  return new EdgeError("unreachable", `the plane at ${url} cannot be reached: ${why}`, {
    cause,
    hint: "records are kept here meanwhile; the next sync goes on from where this one stopped",
  });
}

async function readBounded(response: Response, most: number, path: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > most) throw new EdgeError("plane-refused", `the plane answers more than ${most} bytes to ${path}`);
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

/** What fetch knows only as "fetch failed": the system's error is its cause. */
function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: { code?: string; message?: string } };
  return cause?.code ?? cause?.message ?? messageOf(error);
}

const keptOut = ["blocked", "equivocated", "diverged", "device-blocked"];
const awaiting = "awaiting-acceptance";

function refusalOf({ method, path }: PlaneRequest, { status, bytes }: PlaneAnswer): EdgeError {
  const { code, message, hint } = errorIn(bytes);
  const isBlocked = keptOut.includes(code ?? "");
  const said = message ?? `status ${status}`;
  const refused = code === awaiting ? "awaiting" : [401, 403].includes(status) ? "denied" : "plane-refused";
  return new EdgeError(isBlocked ? "blocked" : refused, `the plane refused ${method} ${path.split("?")[0]}: ${said}`, {
    ...(hint !== undefined && { hint }),
    cause: new Error(`status ${status}${code === undefined ? "" : `, code ${code}`}`),
  });
}

/** `{"error":{"code":"…","message":"…","hint":"…"}}`, as far as it is that. */
function errorIn(bytes: Uint8Array): { code?: string; message?: string; hint?: string } {
  try {
    const { error } = parseObject(textOf(bytes), "the answer", "plane-refused");
    const { code, message, hint } = asObject(error, "error", "plane-refused");
    return {
      ...(typeof code === "string" && { code }),
      ...(typeof message === "string" && { message }),
      ...(typeof hint === "string" && { hint }),
    };
  } catch {
    return {};
  }
}
