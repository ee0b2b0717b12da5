import type { DeviceCore } from "../device-core.ts";
import type { SyncState } from "./sync-state.ts";

/**
 * Whether a sync adds an anchor and a summary to the ledger. `always`: the plane's answers then reach to now. `when-due`: only
 * where something was recorded since the last, or the last is older than `anchorEveryMs`. What a device did not do is covered up
 * to its last delivered anchor (evidence.md 4), so an idle ledger need not grow with every sync.
 */
export type AnchorPolicy = "always" | "when-due";

/** Whether the plane holds this very ledger up to an anchor that is young enough, by the device's clock. */
export function isAnchored({ ledger, config, clock }: DeviceCore, state: SyncState | undefined): boolean {
  if (state?.anchoredAt === undefined || state.blocked !== undefined) return false;
  const age = clock.now() - state.anchoredAt;
  return (state.proven ?? state.mirrored) === ledger.nextIndex && age >= 0 && age < config.anchorEveryMs;
}
