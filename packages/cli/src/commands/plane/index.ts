import type { Register } from "../../register.ts";
import { load } from "./load.ts";
import { reindex } from "./reindex.ts";

/** `tally plane`: a plane's folder, without the plane. */
export const plane: Register = (program, context) => {
  const group = program.command("plane").description("the folder of a plane that does not run");
  reindex(group, context);
  load(group, context);
};
