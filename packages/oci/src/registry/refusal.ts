import type { ServerResponse } from "node:http";
import { OciError, type OciErrorCode } from "../error.ts";

/** The error codes of the distribution specification; it allows no others. */
export type SpecCode =
  | "BLOB_UNKNOWN"
  | "BLOB_UPLOAD_INVALID"
  | "BLOB_UPLOAD_UNKNOWN"
  | "DIGEST_INVALID"
  | "MANIFEST_BLOB_UNKNOWN"
  | "MANIFEST_INVALID"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "SIZE_INVALID"
  | "UNAUTHORIZED"
  | "DENIED"
  | "UNSUPPORTED"
  | "TOOMANYREQUESTS";

type ResponseHeaders = Record<string, string | readonly string[]>;

/** A request answered with a status and an error of the specification. Never leaves this folder. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: SpecCode;
  readonly headers: Readonly<ResponseHeaders>;
  readonly detail: unknown;

  constructor(
    status: number,
    code: SpecCode,
    message: string,
    options: { headers?: ResponseHeaders; detail?: unknown } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = options.headers ?? {};
    this.detail = options.detail;
  }
}

const answers: Partial<Record<OciErrorCode, readonly [status: number, code: SpecCode]>> = {
  "digest-invalid": [400, "DIGEST_INVALID"],
  "digest-mismatch": [400, "DIGEST_INVALID"],
  "size-mismatch": [400, "SIZE_INVALID"],
  "too-large": [413, "SIZE_INVALID"],
  "not-found": [404, "BLOB_UNKNOWN"],
  "range-invalid": [416, "BLOB_UPLOAD_INVALID"],
  busy: [409, "BLOB_UPLOAD_INVALID"],
  "name-invalid": [400, "NAME_INVALID"],
  "manifest-invalid": [400, "MANIFEST_INVALID"],
  "media-type-invalid": [400, "MANIFEST_INVALID"],
  "storage-full": [507, "DENIED"],
};

/** The refusal that an error of this room amounts to; undefined when it is a failure of ours (500). */
export function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error;
  const answer = error instanceof OciError ? answers[error.code] : undefined;
  return answer === undefined ? undefined : new Refusal(answer[0], answer[1], (error as OciError).message);
}

/** Answers with the error; a response that has already begun is cut off, so that nobody takes its start for the whole. */
export function sendError(res: ServerResponse, error: unknown): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const { status, code, message, headers, detail } =
    refusalOf(error) ?? new Refusal(500, "UNSUPPORTED", "the registry failed to handle the request");
  const body = JSON.stringify({ errors: [{ code, message, ...(detail === undefined ? {} : { detail }) }] });
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  res.writeHead(status, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) });
  res.end(body);
}
