import type { IncomingMessage, ServerResponse } from "node:http";
import type { BlobStore } from "../storage/blob-store.ts";
import type { Contents } from "./contents.ts";
import type { DigestTurns } from "./digest-turns.ts";
import type { RegistryOptions } from "./options.ts";
import type { Quotas } from "./quotas.ts";
import type { UploadSessions } from "./upload-sessions.ts";

/** One request with what it takes to answer it. */
export interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly query: URLSearchParams;
  readonly blobs: BlobStore;
  readonly contents: Contents;
  readonly uploads: UploadSessions;
  readonly turns: DigestTurns;
  readonly quotas: Quotas;
  readonly options: RegistryOptions;
}

/** Answers without a body. */
export function sendEmpty(res: ServerResponse, status: number, headers: Record<string, string | number> = {}): void {
  // 204 has no length by definition; everything else says that its body is empty.
  res.writeHead(status, status === 204 ? headers : { "Content-Length": 0, ...headers });
  res.end();
}

export function sendJson(
  res: ServerResponse,
  value: unknown,
  headers: Record<string, string> & { "Content-Type": string } = { "Content-Type": "application/json" },
): void {
  sendJsonText(res, JSON.stringify(value), headers);
}

export function sendJsonText(
  res: ServerResponse,
  text: string,
  headers: Record<string, string> & { "Content-Type": string },
): void {
  const body = Buffer.from(text);
  res.writeHead(200, { ...headers, "Content-Length": body.length });
  res.end(body);
}
