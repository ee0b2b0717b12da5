import type { IncomingMessage, ServerResponse } from "node:http";
import { EdgeError, type EdgeErrorCode, messageOf } from "../error.ts";
import { type LooseObject, parseObject } from "../folder/json.ts";

/** A tensor of a few million elements, as JSON text. */
export const mostBodyBytes = 64 * 1024 * 1024;

/**
 * Lets in programs of this machine and nobody's browser: a page could otherwise record in the device's name, or read what it
 * recorded, by a form, by fetch, or through a host name that someone points at the loopback address.
 *
 * @throws EdgeError `request-refused`
 */
export function requireLocalProgram({ headers, socket }: IncomingMessage): void {
  if (headers.origin !== undefined || headers["sec-fetch-site"] !== undefined || headers.referer !== undefined) {
    throw new EdgeError("request-refused", "the agent serves programs, not pages in a browser");
  }
  // A unix socket has no address; whoever may open the file may ask.
  if (socket.localPort === undefined) return;
  const name = (headers.host ?? "").replace(/:\d+$/, "");
  if (!["127.0.0.1", "localhost", "[::1]"].includes(name)) {
    throw new EdgeError("request-refused", `the host ${name} is not this machine's loopback address`, {
      hint: "ask 127.0.0.1",
    });
  }
}

/** The body as a JSON object. @throws EdgeError `request-invalid`, also beyond 64 MiB. */
export async function readBody(request: IncomingMessage): Promise<LooseObject> {
  const type = (request.headers["content-type"] ?? "").split(";")[0]!.trim();
  if (type !== "application/json") {
    throw new EdgeError("request-invalid", "the body is not announced as application/json", {
      hint: "send content-type: application/json",
    });
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > mostBodyBytes) throw new EdgeError("request-invalid", `the body exceeds ${mostBodyBytes} bytes`);
    chunks.push(chunk);
  }
  return parseObject(Buffer.concat(chunks).toString("utf8"), "the body", "request-invalid");
}

export function sendJson(response: ServerResponse, value: object): void {
  response.writeHead(200, { "content-type": "application/json", "x-content-type-options": "nosniff" });
  response.end(JSON.stringify(value));
}

/** `{"error":{"code","message","hint"}}` with the status that the code stands for. */
export function sendError(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  const isOurs = error instanceof EdgeError;
  const code = isOurs ? error.code : "internal";
  const hint = isOurs ? error.hint : undefined;
  if (response.headersSent || response.destroyed) return;
  // The rest of a refused body is not read: the connection ends once the answer is out.
  if (!request.complete) response.once("finish", () => request.destroy());
  const connection = request.complete ? {} : { connection: "close" };
  response.writeHead(statuses[code as EdgeErrorCode] ?? 500, { "content-type": "application/json", ...connection });
  response.end(JSON.stringify({ error: { code, message: messageOf(error), ...(hint !== undefined && { hint }) } }));
}

const statuses: Partial<Record<EdgeErrorCode, number>> = {
  "request-invalid": 400,
  "content-invalid": 400,
  "entry-too-large": 400,
  "request-refused": 403,
  "load-refused": 403,
  blocked: 403,
  "model-not-found": 404,
  "model-released": 409,
  behind: 409,
  busy: 429,
  denied: 502,
  "plane-refused": 502,
  "plane-untrusted": 502,
  unreachable: 503,
  "device-closed": 503,
  "storage-full": 507,
};
