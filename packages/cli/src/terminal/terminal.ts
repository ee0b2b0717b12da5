// The rules of the command line: data on stdout, words on stderr, nothing else. With --json the data is one JSON value.
// Errors are one `error:` line that names the thing, and a `hint:` line with the next step where there is one.

import { printable, printableJson } from "./printable.ts";

export interface Output {
  write(text: string): unknown;
  /** Whether a person watches: then a line may be written over. */
  readonly isTTY?: boolean;
  /** Characters in a line of it. */
  readonly columns?: number;
}

/** Where a command reads its surroundings from and writes to. Tests give their own. */
export interface Terminal {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where the person stands: relative paths start here. */
  readonly cwd: string;
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Asks the person for a secret, which is not shown while it is typed. Only where a person is at a terminal. */
  readonly ask?: (question: string) => Promise<string>;
  /** Aborted by SIGINT and SIGTERM, for commands that serve. Until it is asked for, these signals end the process. */
  readonly stop: AbortSignal;
}

/** Prints data for people, or as JSON where that was asked for. */
export function print(
  terminal: Terminal,
  json: boolean | undefined,
  data: unknown,
  lines: () => readonly string[],
): void {
  if (json) terminal.stdout.write(`${printableJson(data)}\n`);
  else for (const line of lines()) printLine(terminal, line);
}

/** One line of data for people. */
export function printLine(terminal: Terminal, line: string): void {
  terminal.stdout.write(`${printable(line)}\n`);
}

/** Words for the person: progress and outcomes. */
export function say(terminal: Terminal, text: string): void {
  terminal.stderr.write(`${printable(text)}\n`);
}

/** Columns padded to their widest cell. */
export function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows.reduce<number[]>((w, row) => row.map((cell, i) => Math.max(w[i] ?? 0, cell.length)), []);
  return rows.map((row) =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}
