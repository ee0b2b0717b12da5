import type { EntryBase, EntryKind } from "./entry-kind.ts";
import { type LoadCount, readLoadCounts, writeLoadCounts } from "./shapes.ts";

/** What the run has counted so far, so that an answer can be bounded without reading everything. */
export interface Summary extends EntryBase<"summary"> {
  /** Index of the genesis or restart that began the run. */
  readonly runStart: number;
  readonly loads: readonly LoadCount[];
}

export const summary: EntryKind<Summary> = {
  name: "summary",
  code: 7,
  write: (e) => [
    [2, e.runStart],
    [3, writeLoadCounts(e.loads)],
  ],
  read: (field) => ({ runStart: field(2, "run start").uint(), loads: readLoadCounts(field(3, "loads")) }),
};
