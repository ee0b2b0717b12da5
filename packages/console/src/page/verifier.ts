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
  readonly #waiting = new Map<number, (value: never) => void>();
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
      else this.#settle(data.ticket, data.kind === "rows" ? data.rows : data.fields);
    });
  }

  verify(bundle: ArrayBuffer, trust: ArrayBuffer, now: number): void {
    this.#send({ kind: "verify", bundle, trust, now }, [bundle, trust]);
  }

  rows(filter: RecordFilter, page: Page): Promise<Rows> {
    return this.#ask((ticket) => ({ kind: "rows", ticket, filter, page }));
  }

  record(position: number): Promise<readonly Field[]> {
    return this.#ask((ticket) => ({ kind: "record", ticket, position }));
  }

  /** Ends whatever is under way. */
  stop(): void {
    this.#worker.terminate();
    URL.revokeObjectURL(this.#url);
  }

  #ask<Answer>(request: (ticket: number) => Request): Promise<Answer> {
    this.#ticket += 1;
    const ticket = this.#ticket;
    return new Promise<Answer>((resolve) => {
      this.#waiting.set(ticket, resolve);
      this.#send(request(ticket));
    });
  }

  #send(request: Request, transfer: Transferable[] = []): void {
    this.#worker.postMessage(request, transfer);
  }

  #settle(ticket: number, value: unknown): void {
    this.#waiting.get(ticket)?.(value as never);
    this.#waiting.delete(ticket);
  }
}
