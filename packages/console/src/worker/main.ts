import { blobSource, EvidenceError } from "@tally/evidence";
import type { Failure, Request, Response } from "./messages.ts";
import { RecordRows } from "./record-rows.ts";
import { verifyFiles } from "./verify-files.ts";

// Verifying takes the thread that it runs on. It runs here, so that the page can be read and left meanwhile.

/** Milliseconds between two reports of progress: often enough to see, too rare to cost anything. */
const progressEvery = 50;

let records = new RecordRows();

async function answer(request: Request): Promise<Response> {
  if (request.kind === "verify") return verify(request);
  const { ticket } = request;
  try {
    return request.kind === "rows"
      ? { kind: "rows", ticket, rows: await records.rows(request.filter, request.page) }
      : { kind: "record", ticket, fields: await records.fields(request.origin, request.index) };
  } catch (error) {
    return { kind: "unread", ticket, message: failureOf(error).message };
  }
}

async function verify({ bundle, trust, now }: Extract<Request, { kind: "verify" }>): Promise<Response> {
  try {
    let last = 0;
    const verified = await verifyFiles({
      bundle: blobSource(bundle),
      trust: new Uint8Array(trust),
      now,
      onProgress: ({ read, size, used, bytes, checks }) => {
        const time = performance.now();
        if (time - last < progressEvery) return;
        last = time;
        say({ kind: "progress", done: read + used, of: size + bytes, checks });
      },
    });
    records = new RecordRows(verified.records);
    return { kind: "verified", summary: verified.summary };
  } catch (error) {
    return { kind: "failed", failure: failureOf(error) };
  }
}

function failureOf(error: unknown): Failure {
  if (!(error instanceof EvidenceError)) return { file: null, message: String(error), hint: null };
  return { file: error.code === "trust-invalid" ? "trust" : null, message: error.message, hint: error.hint ?? null };
}

function say(response: Response): void {
  postMessage(response);
}

addEventListener("message", async ({ data }: MessageEvent<Request>) => say(await answer(data)));
