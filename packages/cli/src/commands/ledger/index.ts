import type { Register } from "../../register.ts";
import { check } from "./check.ts";
import { exportCommand } from "./export.ts";

/** `tally ledger`: stored ledgers, without the programs that write them. */
export const ledger: Register = (program, context) => {
  const group = program.command("ledger").description("ledgers on disk");
  for (const register of [check, exportCommand]) register(group, context);
};
