import type { DeviceCore } from "../device-core.ts";
import { PlaneLog } from "../plane/plane-log.ts";
import type { PlaneSession } from "../plane/session.ts";
import { openPlaneCheckpoint, type PlaneCheckpoint, requireGrowth } from "./plane-checkpoint.ts";
import { readPin, writePin } from "./plane-pin.ts";

/**
 * The newest cosigned checkpoint of the plane, verified to continue the pinned one, and pinned.
 *
 * @throws EdgeError `plane-untrusted`, and as `askPlane`
 */
export async function newestCheckpoint(
  { folder, trust, config }: Pick<DeviceCore, "folder" | "trust" | "config">,
  session: PlaneSession,
  signal: AbortSignal | undefined,
): Promise<PlaneCheckpoint> {
  const log = new PlaneLog(config.url, session, signal);
  const checkpoint = openPlaneCheckpoint(await log.checkpoint(), trust);
  const pinned = await readPin(folder.state);
  if (pinned === undefined) {
    await writePin(folder.state, checkpoint);
    return checkpoint;
  }
  const [from, to] = [pinned.size, checkpoint.checkpoint.size];
  const proof = to > from ? await log.consistencyProof(from, to) : [];
  requireGrowth(trust, pinned, checkpoint, proof);
  await writePin(folder.state, checkpoint);
  return checkpoint;
}
