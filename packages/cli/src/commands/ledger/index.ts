import type { Register } from "../../program.ts";
import { check } from "./check.ts";

/** `tally ledger`: stored ledgers, without the programs that write them. */
export const ledger: Register = (program, context) => {
  const group = program.command("ledger").description("ledgers on disk");
  check(group, context);
};
