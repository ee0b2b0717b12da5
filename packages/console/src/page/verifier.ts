import type { Failure, Field, Page, RecordFilter, Request, Response, Rows, Summary } from "../worker/messages.ts";

export interface VerifierEvents {
  progress(done: number, of: number, checks: number): void;
  verified(summary: Summary): void;
  failed(failure: Failure): void;
}

/** The worker that verifies, made from a script that the page itself holds: nothing is fetched. */
export class Verifier {
  readonly #worker: Worker;
  readonly #url: string;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #ticket = 0;

  constructor(script: string, events: VerifierEvents) {
    this.#url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    this.#worker = new Worker(this.#url);
    this.#worker.addEventListener("error", (event) => {
      events.failed({ file: null, message: event.message || "the verifier could not be started", hint: null });
    });
    this.#worker.addEventListener("message", ({ data }: MessageEvent<Response>) => {
      if (data.kind === "progress") events.progress(data.done, data.of, data.checks);
      else if (data.kind === "verified") events.verified(data.summary);
      else if (data.kind === "failed") events.failed(data.failure);
      else if (data.kind === "unread") this.#waiting.get(data.ticket)?.reject(new Error(data.message));
      else this.#waiting.get(data.ticket)?.resolve((data.kind === "rows" ? data.rows : data.fields) as never);
      if ("ticket" in data) this.#waiting.delete(data.ticket);
    });
  }

  verify(bundle: Blob, trust: ArrayBuffer, now: number): void {
    this.#send({ kind: "verify", bundle, trust, now }, [trust]);
  }

  rows(filter: RecordFilter, page: Page): Promise<Rows> {
    return this.#ask((ticket) => ({ kind: "rows", ticket, filter, page }));
  }

  record(origin: string, index: number): Promise<readonly Field[]> {
    return this.#ask((ticket) => ({ kind: "record", ticket, origin, index }));
  }

  /** Ends whatever is under way. */
  stop(): void {
    this.#worker.terminate();
    URL.revokeObjectURL(this.#url);
  }

  #ask<Answer>(request: (ticket: number) => Request): Promise<Answer> {
    this.#ticket += 1;
    const ticket = this.#ticket;
    return new Promise<Answer>((resolve, reject) => {
      this.#waiting.set(ticket, { resolve, reject });
      this.#send(request(ticket));
    });
  }

  #send(request: Request, transfer: Transferable[] = []): void {
    this.#worker.postMessage(request, transfer);
  }
}
