import type { DeviceList, DeviceState, SegmentItem } from "@tally/evidence";
import type { PlaneClient } from "./plane-client.ts";

/** Why the rows of a ledger are nothing to learn from unseen. */
export type Doubt = Extract<DeviceState, "revoked" | "equivocated">;

/** Ledgers whose keys are revoked, or signed two histories, as the plane says, by origin. */
export async function doubtsOf(
  client: Pick<PlaneClient, "get">,
  items: readonly SegmentItem[],
): Promise<ReadonlyMap<string, Doubt>> {
  if (items.length === 0) return new Map();
  const { devices } = await client.get<DeviceList>("/api/v1/devices");
  const named = new Set(items.map(({ origin }) => origin));
  const doubts = new Map<string, Doubt>();
  for (const { origin, state } of devices) {
    if (named.has(origin) && (state === "revoked" || state === "equivocated")) doubts.set(origin, state);
  }
  return doubts;
}
