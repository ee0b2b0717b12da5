import type { Register } from "../../register.ts";
import { lift } from "./lift.ts";
import { list } from "./list.ts";
import { putDataset, putDevice, putModel, putSegment } from "./put.ts";

/** `tally quarantine …`: what is kept out of use, by whom and why, until that is lifted. */
export const quarantine: Register = (program, context) => {
  const group = program
    .command("quarantine")
    .description("keep a device's records, a segment, a model or data out of use, and lift that");
  for (const register of [putDevice, putSegment, putModel, putDataset, lift, list]) register(group, context);
};
