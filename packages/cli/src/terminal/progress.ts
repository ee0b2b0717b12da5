import type { Progress } from "@tally/oci";
import { type Command, Option } from "commander";
import type { Terminal } from "./terminal.ts";

/** How progress is shown on stderr: on one line that is written over where a person watches, as lines, or not at all. */
export const progressModes = ["auto", "plain", "none"] as const;
export type ProgressMode = (typeof progressModes)[number];

/** Adds `--progress` to a command that works through many bytes. */
export function withProgressOption(command: Command): Command {
  return command.addOption(
    new Option("--progress <how>", "how progress is shown on stderr; auto shows it where stderr is a terminal")
      .choices(progressModes)
      .default("auto"),
  );
}

/** Runs work that tells of its progress, and leaves no half-written line behind. */
export async function showingProgress<T>(
  terminal: Terminal,
  mode: ProgressMode,
  doing: string,
  work: (progress: Progress | undefined) => Promise<T>,
): Promise<T> {
  const shown = mode === "plain" || (mode === "auto" && terminal.stderr.isTTY === true);
  if (!shown) return work(undefined);
  const meter = new Meter(terminal, doing, mode === "plain");
  try {
    return await work(meter);
  } finally {
    meter.end();
  }
}

/** Below this nobody waits long enough to be told anything. */
const worthShowing = 1024 * 1024;
const redrawMilliseconds = 100;

/** Adds up what is told of some work and writes it: bytes, share, rate, and how long the rest takes at that rate. */
export class Meter implements Progress {
  readonly #terminal: Terminal;
  readonly #doing: string;
  readonly #plain: boolean;
  readonly #now: () => number;
  readonly #began: number;
  #total = 0;
  #done = 0;
  #kept = 0;
  #drawn = Number.NEGATIVE_INFINITY;
  #tenths = 0;

  constructor(terminal: Terminal, doing: string, plain: boolean, now: () => number = () => performance.now()) {
    this.#terminal = terminal;
    this.#doing = doing;
    this.#plain = plain;
    this.#now = now;
    this.#began = now();
  }

  expect(bytes: number): void {
    this.#total += bytes;
  }

  advance(bytes: number, how: "done" | "kept"): void {
    if (how === "done") this.#done += bytes;
    else this.#kept += bytes;
    if (this.#total < worthShowing) return;
    if (this.#plain) this.#line();
    else this.#redraw();
  }

  /** Clears the line, so that what is said next stands by itself. */
  end(): void {
    if (!this.#plain && this.#drawn > Number.NEGATIVE_INFINITY) this.#terminal.stderr.write("\r\u001b[K");
  }

  #line(): void {
    const tenths = Math.floor(((this.#done + this.#kept) / this.#total) * 10);
    if (tenths <= this.#tenths) return;
    this.#tenths = tenths;
    this.#terminal.stderr.write(`${this.#text()}\n`);
  }

  #redraw(): void {
    const now = this.#now();
    if (now - this.#drawn < redrawMilliseconds) return;
    this.#drawn = now;
    // A line that wraps cannot be written over.
    this.#terminal.stderr.write(`\r${this.#text().slice(0, (this.#terminal.stderr.columns ?? 80) - 1)}\u001b[K`);
  }

  #text(): string {
    const seconds = (this.#now() - this.#began) / 1000;
    const through = this.#done + this.#kept;
    const share = Math.min(100, Math.floor((through / this.#total) * 100));
    const words = [`${this.#doing}: ${share}%, ${sizeWords(through)} of ${sizeWords(this.#total)}`];
    if (this.#kept > 0) words.push(`${sizeWords(this.#kept)} of it there already`);
    if (seconds > 0 && this.#done > 0) {
      const rate = this.#done / seconds;
      words.push(`${sizeWords(rate)}/s`, `${timeWords(Math.max(0, this.#total - through) / rate)} left`);
    }
    return words.join(", ");
  }
}

const units = ["KiB", "MiB", "GiB", "TiB"] as const;

/** `1.5 GiB`: three digits, the largest unit that leaves at least one before the point. */
export function sizeWords(bytes: number): string {
  if (bytes < 1024) return `${Math.round(bytes)} bytes`;
  const power = Math.min(units.length, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${value >= 100 ? Math.round(value) : Number(value.toPrecision(3))} ${units[power - 1]}`;
}

/** `1:02:03`, `2:03`, `3 s`. */
export function timeWords(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (n: number) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
