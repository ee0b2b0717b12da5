import type { NoteSignature } from "@tally/evidence";
import { LedgerError } from "../error.ts";
import type { LogReader } from "../log-reader.ts";
import type { PeerOptions } from "./peer.ts";
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
  const { latest } = options;
  const { size } = latest.checkpoint;
  const growth = await proveGrowth(url, options);
  if (growth.status === "refused") return { ...growth, step: "add-checkpoint" };
  if (growth.status === "behind") return growth;

  // Most often the mirror has all entries of the checkpoint it held before; if not, it says so.
  const start = growth.old;
  const sent = await sendEntries(url, { ...options, start, end: size });
  return sent.status === "mirrored" ? { ...sent, witness: growth.signatures } : sent;
}

export interface SendOptions extends PeerOptions {
  readonly log: LogReader;
  /** The first entry that the mirror is thought to lack; it says where to begin. */
  readonly start: number;
  /** Size of a checkpoint that the mirror took. */
  readonly end: number;
  /** From the mirror, where that is not its newest one. */
  readonly ticket?: Uint8Array;
  /** Told after each request how far the mirror has come. */
  readonly onProgress?: (progress: { readonly nextEntry: number; readonly end: number }) => void;
}

export type SendResult =
  | { readonly status: "mirrored"; readonly size: number; readonly mirror: readonly NoteSignature[] }
  | { readonly status: "behind"; readonly size: number }
  | (Refused & { readonly step: "add-entries" });

/**
 * Uploads entries until all up to `end` are mirrored, as `syncLog` does after `add-checkpoint`.
 *
 * @throws LedgerError `unreachable`; `protocol` when the mirror does not get further.
 */
export async function sendEntries(url: string, options: SendOptions): Promise<SendResult> {
  const { log, end, onProgress = () => {} } = options;
  const none = new Uint8Array(0);
  let at = { start: Math.min(options.start, end), end, ticket: (options.ticket ?? none) as Uint8Array };
  let [whole, takesParts] = [false, false];
  for (let stalls = 0; stalls < MAX_STALLS; ) {
    const result = await uploadEntries(url, { ...options, log, ...at, whole });
    if (result.status === "refused") {
      const { cut, ...refused } = result;
      // C2SP tlog-mirror has a mirror take the first packages by themselves. There are mirrors that fail there, and take all at once.
      if (!cut || takesParts || refused.code !== 500) return { ...refused, step: "add-entries" };
      whole = true;
      continue;
    }
    takesParts ||= result.status === "partial";
    if (result.status === "complete") {
      onProgress({ nextEntry: at.end, end });
      if (at.end >= end) return { status: "mirrored", size: at.end, mirror: result.signatures };
      at = { start: at.end, end, ticket: none };
      stalls += 1;
      continue;
    }
    const { info } = result;
    if (info.size > end) return { status: "behind", size: info.size };
    if (result.status === "conflict" || info.nextEntry <= at.start) stalls += 1;
    onProgress({ nextEntry: info.nextEntry, end });
    at = { start: Math.min(info.nextEntry, info.size), end: info.size, ticket: info.ticket };
  }
  throw new LedgerError("protocol", `${url} does not get further than entry ${at.start} of ${log.origin}`, {
    hint: "another process may be syncing the same log; try again",
  });
}
