import type { Ledger } from "@tally/ledger";
import type { DeviceCore } from "../device-core.ts";
import { EdgeError } from "../error.ts";
import { MirroredLedger } from "../plane/mirrored-ledger.ts";
import type { PlaneSession } from "../plane/session.ts";
import { ownKeySets } from "../rotation/key-folders.ts";
import { standingOf } from "./standing.ts";

/** Ledgers that were seen to continue what the plane holds: from then on only another holder of the keys can part them. */
const seen = new WeakSet<Ledger>();

/**
 * Before a run's first offer: whether this ledger continues what the plane holds of it. An old copy that went on must not
 * offer its branch, since that would be two signed histories of one ledger.
 *
 * @throws EdgeError `behind` where it does not; the ledger then signs nothing any more.
 */
export async function requireContinuing(
  { ledger, config, signers, identity, folder }: DeviceCore,
  session: PlaneSession,
  signal?: AbortSignal,
): Promise<void> {
  if (seen.has(ledger)) return;
  await ledger.flush();
  const { origin } = identity;
  const options = { url: config.url, session, origin, keySets: await ownKeySets(folder, signers) };
  const mirror = new MirroredLedger({ ...options, ...(signal !== undefined && { signal }) });
  const standing = await standingOf(ledger, mirror);
  if (standing.kind === "current") {
    seen.add(ledger);
    return;
  }
  ledger.stopSigning("its plane holds entries of it that this folder lacks");
  throw new EdgeError("behind", `the plane holds entries of ${origin} that this folder lacks: it is an older copy`, {
    hint: "stop the device and start it again: it goes on in a new epoch, and keeps what it recorded meanwhile",
  });
}
