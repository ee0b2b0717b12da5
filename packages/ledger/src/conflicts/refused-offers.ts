import { parseCheckpoint } from "@tally/evidence";
import type { CheckpointOffer } from "../witness/add-checkpoint-body.ts";
import type { Conflict } from "./conflict.ts";
import type { ConflictStore, KeptOffer } from "./conflict-store.ts";
import { examineRefusal, type HeldLog } from "./examine-refusal.ts";

type SignedOffer = Pick<CheckpointOffer, "old" | "proof" | "checkpoint"> & { readonly note: string };

/** A log whose offers are judged: what is held of it, and where refused offers go. A witness holds no entries. */
export type WatchedHistory = HeldLog["log"] & {
  readonly origin: string;
  readonly pending: HeldLog["pending"] | undefined;
  readonly mirrored: HeldLog["mirrored"];
  readonly conflicts: ConflictStore;
};

/**
 * Keeps a validly signed offer that was refused, unless it is only late or behind.
 *
 * @returns the conflict, when it is one.
 */
export async function keepRefused(log: WatchedHistory, offer: SignedOffer): Promise<Conflict | undefined> {
  const kept = await examine(log, offer);
  if (kept === undefined) return undefined;
  await log.conflicts.keep(kept);
  return isConflict(kept) ? kept : undefined;
}

/**
 * Looks again at what could not be decided, or not be proven, now that more entries are stored: with the entries up to a
 * kept checkpoint's size it is either part of our tree or proven not to be.
 *
 * An offer is let go only after the equivocation that it turned out to be was kept and reported.
 */
export async function reexamineKept(log: WatchedHistory, report: (conflict: Conflict) => Promise<void>): Promise<void> {
  const reported = new Set<string>();
  for (const kept of await log.conflicts.read("undecided", "diverged")) {
    if (kept.entries !== undefined) continue;
    const { checkpoint } = parseCheckpoint(kept.offered);
    if (checkpoint.size > log.size) continue;
    const now = await examine(log, { old: kept.old, proof: kept.proof, checkpoint, note: kept.offered });
    if (now !== undefined && now.kind !== "equivocated") continue;
    if (now !== undefined && isConflict(now) && !reported.has(now.offered)) {
      await log.conflicts.keep(now);
      await report(now);
      reported.add(now.offered);
    }
    await log.conflicts.release(kept);
  }
}

/** What to keep of an offer; undefined when it is consistent with what we hold. */
async function examine(log: WatchedHistory, offer: SignedOffer): Promise<KeptOffer | undefined> {
  const { pending, mirrored, origin } = log;
  if (pending === undefined) return undefined;
  const finding = await examineRefusal({ pending, mirrored, log }, offer);
  if (finding.kind === "consistent") return undefined;
  const base = { origin, offered: offer.note, old: offer.old };
  if ("proof" in finding) return { ...base, ...finding };
  return {
    ...base,
    kind: "undecided",
    reason: "the entries to compare with are not here yet",
    signed: pending.note,
    proof: offer.proof,
  };
}

function isConflict(kept: KeptOffer): kept is Conflict {
  return kept.kind !== "undecided";
}
