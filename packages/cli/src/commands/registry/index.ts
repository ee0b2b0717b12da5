import type { Register } from "../../register.ts";
import { gc } from "./gc.ts";
import { quota } from "./quota.ts";
import { refusals } from "./refusals.ts";
import { retention } from "./retention.ts";

/** `tally registry`: keeping the plane's registry in order. */
export const registry: Register = (program, context) => {
  const group = program
    .command("registry")
    .summary("keep the plane's registry in order")
    .description("keep the plane's registry in order: what is collected, what is written once, what it may hold");
  for (const register of [gc, retention, quota, refusals]) register(group, context);
};
