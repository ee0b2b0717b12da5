import type { ErrorBody } from "@tally/evidence";

/** One request to a plane, as any HTTP client would send it. */
export interface Call {
  readonly token?: string | undefined;
  /** An object goes as JSON; bytes go as `type`. */
  readonly body?: object | Uint8Array;
  readonly type?: string;
}

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly bytes: Uint8Array;
  readonly text: string;
}

export async function call(
  url: string,
  method: string,
  path: string,
  { token, body, type }: Call = {},
): Promise<Answer> {
  const bytes =
    body === undefined || body instanceof Uint8Array ? body : new TextEncoder().encode(JSON.stringify(body));
  const contentType = type ?? (body === undefined ? undefined : "application/json");
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(contentType !== undefined && { "content-type": contentType }),
    },
    ...(bytes !== undefined && { body: bytes as Uint8Array<ArrayBuffer> }),
    redirect: "manual",
  });
  const answered = new Uint8Array(await response.arrayBuffer());
  return {
    status: response.status,
    type: (response.headers.get("content-type") ?? "").split(";")[0]!,
    bytes: answered,
    text: new TextDecoder().decode(answered),
  };
}

/** The answer's JSON. The caller names the type that the API promises. */
export function json<T>(answer: Answer): T {
  return JSON.parse(answer.text) as T;
}

/** The error's code; undefined where the answer is none of the plane's errors. */
export function errorOf(answer: Answer): ErrorBody["error"] | undefined {
  if (answer.status < 400 || answer.type !== "application/json") return undefined;
  return json<ErrorBody>(answer).error;
}
