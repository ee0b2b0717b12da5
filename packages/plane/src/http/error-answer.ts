import type { ErrorBody } from "@tally/evidence";
import { isDiskFull } from "@tally/ledger";
import { PolicyError, permitDigest } from "@tally/policy";
import { PlaneError, type PlaneErrorCode } from "../error.ts";

const statusOf: Readonly<Record<PlaneErrorCode, number>> = {
  "bad-request": 400,
  unauthorized: 401,
  forbidden: 403,
  blocked: 403,
  "awaiting-acceptance": 404,
  "policy-denied": 403,
  "not-found": 404,
  conflict: 409,
  "too-large": 413,
  "not-ready": 503,
  "refuses-to-sign": 503,
  configuration: 500,
  internal: 500,
};

/** What a client is told of an error: nothing of what went on inside, and what to do about it. */
export function describeError(error: unknown): { status: number; body: ErrorBody } {
  const { code, message, hint, statusCode, validation } = error as {
    code?: unknown;
    message: string;
    hint?: string;
    statusCode?: number;
    validation?: unknown;
  };
  if (error instanceof PlaneError) {
    const { error: said } = errorBody(error.code, message, hint);
    return { status: statusOf[error.code], body: { error: { ...said, ...denialOf(error.cause) } } };
  }
  if (isDiskFull(error) || code === "storage-full") {
    const hint = "nothing of what was acknowledged is lost; free some space and send it again";
    return { status: 507, body: errorBody("storage-full", "the plane has no space left for this", hint) };
  }
  if (validation !== undefined) return { status: 400, body: errorBody("bad-request", message) };
  if ((error as Error).name === "EvidenceError") return { status: 400, body: errorBody(String(code), message, hint) };
  const named = (error as Error).name;
  if (named === "OciError" || named === "LedgerError") {
    if (code === "queue-full") return { status: 503, body: errorBody("busy", message, hint) };
    const clients = new Set(["digest-mismatch", "protocol", "not-found", "too-large", "range-invalid", "refused"]);
    if (clients.has(String(code)))
      return { status: code === "not-found" ? 404 : 400, body: errorBody(String(code), message, hint) };
  }
  if (statusCode !== undefined && statusCode < 500)
    return { status: statusCode, body: errorBody("bad-request", message) };
  return {
    status: 500,
    body: errorBody("internal", "the plane could not do this", "its log says why; try again later"),
  };
}

/** What a gate found, where a gate denied. */
function denialOf(cause: unknown): Partial<ErrorBody["error"]> {
  if (!(cause instanceof PolicyError)) return {};
  return { reasons: cause.verdict.reasons, verdict: permitDigest(cause.verdict) };
}

/** The body of every answer that is an error, but for the registry's. */
export function errorBody(code: string, message: string, hint?: string): ErrorBody {
  return { error: { code, message, ...(hint !== undefined && { hint }) } };
}
