import type { Checkpoint, NoteSignature } from "@tally/evidence";
import { LedgerError } from "../error.ts";
import type { LogReader } from "../log-reader.ts";
import type { PeerOptions } from "./peer.ts";
import { type Refused, submitCheckpoint } from "./submit-checkpoint.ts";

export interface GrowthOptions extends PeerOptions {
  readonly log: Pick<LogReader, "consistencyProof">;
  /** The latest signed checkpoint of the log. */
  readonly latest: { readonly checkpoint: Checkpoint; readonly note: string };
  /** The size that the witness is thought to hold; default 0, which costs one more request when it is wrong. */
  readonly old?: number;
}

export type GrowthResult =
  /** `old` is the size that the witness held before. */
  | { readonly status: "cosigned"; readonly old: number; readonly signatures: readonly NoteSignature[] }
  /** The witness holds a larger tree of this log than we have: we were restored from a copy, or someone else has our keys. */
  | { readonly status: "behind"; readonly size: number }
  | Refused;

/** How often a witness may name another size: each time another writer of the same log came first. */
const MAX_ATTEMPTS = 5;

/**
 * Has a witness or mirror cosign the latest checkpoint, proving from whatever size it holds. With a mirror this alone is
 * proof-only sync: it then holds the head, and the entries stay here.
 *
 * @throws LedgerError as submitCheckpoint; `protocol` when the size named changes with every attempt.
 */
export async function proveGrowth(url: string, options: GrowthOptions): Promise<GrowthResult> {
  const { log, latest } = options;
  const { size } = latest.checkpoint;
  let old = Math.min(options.old ?? 0, size);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const proof = await log.consistencyProof(old, size);
    const result = await submitCheckpoint(url, { ...options, old, proof, note: latest.note });
    if (result.status === "cosigned") return { ...result, old };
    if (result.status === "refused") return result;
    if (result.size > size) return { status: "behind", size: result.size };
    old = result.size;
  }
  throw new LedgerError("protocol", `${url} named another size ${MAX_ATTEMPTS} times`, {
    hint: "another process may be syncing the same log; try again",
  });
}
