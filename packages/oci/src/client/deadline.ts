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
      if (cause instanceof OciError) throw cause;
      // A stream that was being sent wraps the error of its source.
      if (cause instanceof Error && cause.cause instanceof OciError) throw cause.cause;
      if (this.#outer?.aborted) throw new OciError("aborted", `${doing}: aborted`, { cause });
      const why = this.#silence.signal.aborted ? `no sign of life for ${milliseconds / 1000} s` : reason(cause);
      throw new OciError("unreachable", `${doing}: ${why}`, {
        cause,
        hint: "check the address, the network and that the registry runs",
      });
    } finally {
      clearTimeout(this.#timer);
    }
  }

  /** A sign of life within a guarded step. */
  alive(): void {
    this.#timer?.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

function reason(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error
    ? cause.message || ((cause as NodeJS.ErrnoException).code ?? cause.name)
    : String(cause);
}
