import { formatSizeBody, SIZE_TYPE } from "./size-body.ts";

/** What a C2SP endpoint answers; the HTTP layer that asked writes it out as it is. */
export interface ProtocolResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

const TEXT = "text/plain; charset=utf-8";

/** An error in plain words, for people; clients go by the status. */
export function refusal(status: number, reason: string): ProtocolResponse {
  return respond(status, TEXT, `${reason}\n`);
}

/** 200 with cosignature lines. */
export function cosigned(lines: string): ProtocolResponse {
  return respond(200, TEXT, lines);
}

/** 409 of `add-checkpoint`: our size, from which the client has to prove. */
export function sizeConflict(size: number): ProtocolResponse {
  return respond(409, SIZE_TYPE, formatSizeBody(size));
}

/** A checkpoint for monitors: it changes, so nobody keeps it for long. */
export function checkpointFound(note: string): ProtocolResponse {
  return respond(200, TEXT, note, { "cache-control": "no-cache" });
}

/** A tile or an entry bundle: it never changes. */
export function tileFound(bytes: Uint8Array): ProtocolResponse {
  return respond(200, "application/octet-stream", bytes, { "cache-control": "public, max-age=31536000, immutable" });
}

export function respond(
  status: number,
  type: string,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
): ProtocolResponse {
  return Object.freeze({ status, headers: Object.freeze({ "content-type": type, ...headers }), body });
}
