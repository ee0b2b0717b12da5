export { decide, permitBytes, permitDigest, requireAllowed } from "./decide.ts";
export { PolicyError, type PolicyErrorCode } from "./error.ts";
export {
  type Gate,
  gates,
  type KnownSigners,
  type MeasuredFile,
  type PolicyRequest,
  type SignedStatement,
  signedStatement,
  statementBy,
} from "./request.ts";
export type { Reason, Verdict } from "./verdict.ts";
