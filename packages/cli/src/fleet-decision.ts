import { type DeviceList, type DeviceStatus, type FleetDecision, fleetDecisionStatement } from "@tally/evidence";
import type { SigningKey } from "./keys/index.ts";
import type { PlaneClient } from "./plane-client.ts";
import { signAndPost } from "./post-statement.ts";

/** Every ledger of a device, oldest first. @throws CliError for a device that the plane does not know */
export async function ledgersOf(client: PlaneClient, deviceId: string): Promise<readonly DeviceStatus[]> {
  return (await client.get<DeviceList>(`/api/v1/devices/${deviceId}`)).devices;
}

/** Signs decisions and posts them, one statement each. @returns the digests of their envelopes */
export async function decide(
  client: PlaneClient,
  decisions: readonly FleetDecision[],
  key: SigningKey,
): Promise<readonly string[]> {
  const digests: string[] = [];
  for (const decision of decisions) {
    const { digest } = await signAndPost(client, fleetDecisionStatement(decision), key);
    digests.push(digest);
  }
  return digests;
}
