import type { NoteSignature } from "@tally/evidence";
import { LedgerError } from "../error.ts";
import type { LogReader } from "../log-reader.ts";
import { type GrowthOptions, proveGrowth } from "./prove-growth.ts";
import type { Refused } from "./submit-checkpoint.ts";
import { uploadEntries } from "./upload-entries.ts";

export interface SyncOptions extends GrowthOptions {
  readonly log: LogReader;
  /** Told after each request how far the mirror has come. */
  readonly onProgress?: (progress: { readonly nextEntry: number; readonly end: number }) => void;
}

export type SyncResult =
  | {
      readonly status: "mirrored";
      readonly size: number;
      /** Cosignatures of the witness (consistent growth) and of the mirror (entries stored), as they came. */
      readonly witness: readonly NoteSignature[];
      readonly mirror: readonly NoteSignature[];
    }
  | { readonly status: "behind"; readonly size: number }
  | (Refused & { readonly step: "add-checkpoint" | "add-entries" });

/** How often the mirror may answer without getting further: each such answer should be followed by progress. */
const MAX_STALLS = 5;

/**
 * One whole round with a mirror: prove growth, then upload entries until all up to the latest checkpoint are mirrored. May stop at
 * any moment; the next round goes on from the last stored package.
 *
 * @throws LedgerError `unreachable`; `protocol` when the mirror does not get further.
 */
export async function syncLog(url: string, options: SyncOptions): Promise<SyncResult> {
  const { log, latest, onProgress = () => {} } = options;
  const { size } = latest.checkpoint;
  const growth = await proveGrowth(url, options);
  if (growth.status === "refused") return { ...growth, step: "add-checkpoint" };
  if (growth.status === "behind") return growth;

  // Most often the mirror has all entries of the checkpoint it held before; if not, it says so.
  let at = { start: growth.old, end: size, ticket: new Uint8Array(0) as Uint8Array };
  for (let stalls = 0; stalls < MAX_STALLS; ) {
    const result = await uploadEntries(url, { ...options, log, ...at });
    if (result.status === "refused") return { ...result, step: "add-entries" };
    if (result.status === "complete") {
      onProgress({ nextEntry: at.end, end: size });
      if (at.end === size) return { status: "mirrored", size, witness: growth.signatures, mirror: result.signatures };
      at = { start: at.end, end: size, ticket: new Uint8Array(0) };
      stalls += 1;
      continue;
    }
    const { info } = result;
    if (info.size > size) return { status: "behind", size: info.size };
    if (result.status === "conflict" || info.nextEntry <= at.start) stalls += 1;
    onProgress({ nextEntry: info.nextEntry, end: size });
    at = { start: Math.min(info.nextEntry, info.size), end: info.size, ticket: info.ticket };
  }
  throw new LedgerError("protocol", `${url} does not get further than entry ${at.start} of ${log.origin}`, {
    hint: "another process may be syncing the same log; try again",
  });
}
