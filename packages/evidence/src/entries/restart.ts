import type { EntryBase, EntryKind } from "./entry-kind.ts";
import { type LoadCount, readLoadCounts, writeLoadCounts } from "./shapes.ts";

/** A run begins: the process started again, or the run before was full. It ends all earlier loads. */
export interface Restart extends EntryBase<"restart"> {
  readonly tallyVersion: string;
  /** The language runtime, such as `node 26.10.0 linux x64`. */
  readonly runtime: string;
  /** False when the run before ended without saying so. */
  readonly clean: boolean;
  /** Index of the entry that began the run before: a genesis or a restart. */
  readonly previousRun: number;
  /** Every load of the run before. */
  readonly closing: readonly LoadCount[];
}

export const restart: EntryKind<Restart> = {
  name: "restart",
  code: 2,
  write: (e) => [
    [2, e.tallyVersion],
    [3, e.runtime],
    [4, e.clean],
    [5, e.previousRun],
    [6, writeLoadCounts(e.closing)],
  ],
  read: (field) => ({
    tallyVersion: field(2, "tally version").text(),
    runtime: field(3, "runtime").text(),
    clean: field(4, "clean").bool(),
    previousRun: field(5, "previous run").uint(),
    closing: readLoadCounts(field(6, "closing")),
  }),
};
