import { exitCodes } from "./exit-code.ts";

/** How a check's result is shown to people. */
export const marks = { good: "good", bad: "BAD", "not made": "not made" } as const;

/** The exit code of a command whose answer is the result of its checks. */
export const exits = {
  good: exitCodes.good,
  bad: exitCodes.verificationFailed,
  "not made": exitCodes.notProven,
} as const;
