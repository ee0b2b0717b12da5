import type { ServerResponse } from "node:http";
import { OciError } from "../error.ts";
import { Refusal, refusalOf, sendError } from "../registry/refusal.ts";

/** Whose failure it is: what comes of the outside registry itself is a bad gateway, and never the caller's credentials. */
const gateway: Readonly<Partial<Record<OciError["code"], 502 | 503>>> = {
  unreachable: 503,
  unauthorized: 502,
  protocol: 502,
};

/** What somebody sent is not what they said: to a push its sender's fault, to a pull the registry's. */
const lies: readonly OciError["code"][] = [
  "digest-mismatch",
  "size-mismatch",
  "manifest-invalid",
  "media-type-invalid",
];

/** 502 or 503 where the outside registry is to blame, so that its operator has to hear of it. */
export function gatewayStatus(error: unknown, method: string): 502 | 503 | undefined {
  if (!(error instanceof OciError)) return undefined;
  const reading = method === "GET" || method === "HEAD";
  return gateway[error.code] ?? (reading && lies.includes(error.code) ? 502 : undefined);
}

/**
 * Answers with the error. `UNAVAILABLE` is not among the specification's codes; clients go by the status, and people read
 * the message.
 */
export function sendOutsideError(res: ServerResponse, error: unknown, origin: string, method: string): void {
  const status = gatewayStatus(error, method);
  if (status === undefined || res.headersSent) {
    sendError(res, refused(error, method));
    return;
  }
  const message = `the registry behind this plane (${origin}) failed: ${(error as OciError).message}`;
  const body = JSON.stringify({ errors: [{ code: "UNAVAILABLE", message }] });
  res.writeHead(status, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) });
  res.end(body);
}

function refused(error: unknown, method: string): unknown {
  if (refusalOf(error) !== undefined || !(error instanceof OciError) || error.code !== "refused") return error;
  return new Refusal(method === "DELETE" ? 405 : 400, "UNSUPPORTED", error.message);
}
