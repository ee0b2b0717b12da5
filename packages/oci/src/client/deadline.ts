import { OciError } from "../error.ts";

/**
 * Watches one exchange for silence: after each sign of life the other side has `milliseconds` for the next one. Slow is
 * allowed, silent is not, so the size of a transfer needs no limit.
 */
export class Deadline {
  readonly signal: AbortSignal;
  readonly #silence = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #milliseconds: number;
  #timer: NodeJS.Timeout | undefined;
  #listening = false;

  constructor(milliseconds: number, outer?: AbortSignal) {
    this.#milliseconds = milliseconds;
    this.#outer = outer;
    this.signal = outer === undefined ? this.#silence.signal : AbortSignal.any([this.#silence.signal, outer]);
  }

  /** Runs a step that waits for the other side. Throws `unreachable` when it fails or takes too long, `aborted` when told to. */
  async guard<T>(doing: string, step: () => Promise<T>, milliseconds = this.#milliseconds): Promise<T> {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#silence.abort(), milliseconds);
    try {
      return await step();
    } catch (cause) {
      throw this.#failure(doing, cause, milliseconds);
    } finally {
      this.end();
    }
  }

  /** The same for one of many short steps, with one timer for all of them: call `end` after the last. */
  async listen<T>(doing: string, step: () => Promise<T>): Promise<T> {
    this.#listening = true;
    this.#timer = this.#timer?.refresh() ?? setTimeout(() => this.#silent(), this.#milliseconds);
    try {
      return await step();
    } catch (cause) {
      throw this.#failure(doing, cause, this.#milliseconds);
    } finally {
      this.#listening = false;
    }
  }

  /** A sign of life within a guarded step. */
  alive(): void {
    this.#timer?.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #silent(): void {
    this.#timer = undefined;
    // Whoever works on what came takes their time.
    if (this.#listening) this.#silence.abort();
  }

  #failure(doing: string, cause: unknown, milliseconds: number): OciError {
    if (cause instanceof OciError) return cause;
    if (this.#outer?.aborted) return new OciError("aborted", `${doing}: aborted`, { cause });
    const why = this.#silence.signal.aborted ? `no sign of life for ${milliseconds / 1000} s` : reason(cause);
    return new OciError("unreachable", `${doing}: ${why}`, {
      cause,
      hint: "check the address, the network and that the registry runs",
    });
  }
}

function reason(error: unknown): string {
  return error instanceof Error
    ? error.message || ((error as NodeJS.ErrnoException).code ?? error.name)
    : String(error);
}
