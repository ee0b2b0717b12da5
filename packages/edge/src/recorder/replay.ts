import { advanceRun, decodeEntry, type Entry, type RunState, runStateAt } from "@tally/evidence";
import type { LogReader } from "@tally/ledger";
import { EdgeError } from "../error.ts";

/** Entries read at a time, going back. */
const stride = 512;

/**
 * What the ledger has said of its last run. Reads back to the last entry that states the run (genesis, restart or
 * summary: at most 4,096 entries) and counts on from there.
 *
 * @throws EdgeError `damaged` when the ledger's own entries contradict each other or there are none.
 */
export async function replayRun(ledger: LogReader): Promise<RunState> {
  for (let to = ledger.size; to > 0; to -= stride) {
    const from = Math.max(0, to - stride);
    const stated = await lastStating(ledger, from, to);
    if (stated === undefined) continue;
    let state = runStateAt(stated.index, stated.entry);
    for await (const bytes of ledger.entries(state.next, ledger.size)) state = advanceRun(state, decodeEntry(bytes));
    return state;
  }
  throw new EdgeError("damaged", `the ledger of ${ledger.origin} has no entries`, {
    hint: "enrol the device again; enrolment continues with the same keys",
  });
}

async function lastStating(
  ledger: LogReader,
  from: number,
  to: number,
): Promise<{ index: number; entry: Entry } | undefined> {
  let last: { index: number; entry: Entry } | undefined;
  let index = from;
  for await (const bytes of ledger.entries(from, to)) {
    const entry = decodeEntry(bytes);
    if (entry.kind === "genesis" || entry.kind === "restart" || entry.kind === "summary") last = { index, entry };
    index += 1;
  }
  return last;
}
