import type { DeviceList, DeviceState, DeviceStatus, SegmentItem } from "@tally/evidence";
import type { PlaneClient } from "./plane-client.ts";

/** Why the rows of a ledger are nothing to learn from unseen. */
export type Doubt = Extract<DeviceState, "revoked" | "equivocated">;

/** The ledgers that segments are of, as the plane says of them, by origin. */
export async function ledgersOf(
  client: Pick<PlaneClient, "get">,
  items: readonly SegmentItem[],
): Promise<ReadonlyMap<string, DeviceStatus>> {
  if (items.length === 0) return new Map();
  const { devices } = await client.get<DeviceList>("/api/v1/devices");
  const named = new Set(items.map(({ origin }) => origin));
  return new Map(devices.filter(({ origin }) => named.has(origin)).map((device) => [device.origin, device]));
}

/** Ledgers whose keys are revoked, or signed two histories. */
export function doubtsOf(ledgers: ReadonlyMap<string, Pick<DeviceStatus, "state">>): ReadonlyMap<string, Doubt> {
  const doubts = new Map<string, Doubt>();
  for (const [origin, { state }] of ledgers) {
    if (state === "revoked" || state === "equivocated") doubts.set(origin, state);
  }
  return doubts;
}
