export type BuildErrorCode = "module-not-found" | "not-compiled" | "not-embeddable";

/** The one error that building the page throws on purpose. */
export class BuildError extends Error {
  override readonly name = "BuildError";
  readonly code: BuildErrorCode;

  constructor(code: BuildErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options);
    this.code = code;
  }
}
