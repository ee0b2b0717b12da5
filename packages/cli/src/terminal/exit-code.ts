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

  constructor(exitCode: ExitCode, message: string, options: { readonly hint?: string; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.exitCode = exitCode;
    this.hint = options.hint;
  }
}

const byCode: Readonly<Record<string, ExitCode>> = {
  unreachable: exitCodes.unreachable,
  "policy-denied": exitCodes.denied,
  forbidden: exitCodes.denied,
  unauthorized: exitCodes.denied,
  denied: exitCodes.denied,
  blocked: exitCodes.denied,
  "bad-request": exitCodes.usage,
  usage: exitCodes.usage,
  "load-refused": exitCodes.verificationFailed,
  "signature-invalid": exitCodes.verificationFailed,
  "signature-missing": exitCodes.verificationFailed,
  "proof-invalid": exitCodes.verificationFailed,
  "digest-mismatch": exitCodes.verificationFailed,
  damaged: exitCodes.verificationFailed,
};

/** The exit code for an error of any room, by its `code`. */
export function exitCodeFor(error: unknown): ExitCode {
  if (error instanceof CliError) return error.exitCode;
  const code = (error as { code?: unknown } | null)?.code;
  if (code === "ENOENT" || code === "EISDIR" || code === "ENOTDIR") return exitCodes.usage;
  if (code === "ECONNREFUSED") return exitCodes.unreachable;
  return (typeof code === "string" ? byCode[code] : undefined) ?? exitCodes.unexpected;
}
