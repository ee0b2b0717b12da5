/** Exit codes of every command; documented in docs/cli.md. */
export const exitCodes = {
  good: 0,
  unexpected: 1,
  usage: 2,
  verificationFailed: 3,
  denied: 4,
  unreachable: 5,
  notProven: 6,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** What a command fails with: what was wrong, what to do next, and how the process ends. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exitCode: ExitCode;
  readonly hint: string | undefined;
  /** Of what a plane refused: its own code. */
  readonly code: string | undefined;

  constructor(
    exitCode: ExitCode,
    message: string,
    options: { readonly hint?: string; readonly cause?: unknown; readonly code?: string } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.exitCode = exitCode;
    this.hint = options.hint;
    this.code = options.code;
  }
}

/** What was asked for cannot be done as it was asked. */
export function usageError(message: string, hint?: string, cause?: unknown): CliError {
  return new CliError(exitCodes.usage, message, { ...(hint !== undefined && { hint }), cause });
}
