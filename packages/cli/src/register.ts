import type { Command } from "commander";
import type { Terminal } from "./terminal/index.ts";

/** What a command's file gives: how it is called, and what it does. */
export interface Registration {
  readonly terminal: Terminal;
  /** Ends with an exit code other than 0 that is an answer and not a failure. */
  readonly finish: (code: number) => void;
}

export type Register = (program: Command, context: Registration) => void;
