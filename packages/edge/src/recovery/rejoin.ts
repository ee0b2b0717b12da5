import type { NoteSigner, Trust } from "@tally/evidence";
import type { Clock, Ledger } from "@tally/ledger";
import type { DeviceConfig } from "../config.ts";
import { EdgeError } from "../error.ts";
import type { DeviceFolder } from "../folder/device-folder.ts";
import type { DeviceIdentity } from "../identity.ts";
import { MirroredLedger } from "../plane/mirrored-ledger.ts";
import { PlaneSession } from "../plane/session.ts";
import { ownKeySets } from "../rotation/key-folders.ts";
import { newestCheckpoint } from "../sync/newest-checkpoint.ts";
import { beginEpoch, forkPoint } from "./begin-epoch.ts";
import { fetchBack } from "./fetch-back.ts";
import { readRestoredMark } from "./restored-mark.ts";
import { type Standing, standingOf } from "./standing.ts";

/** A device's open ledger, before anything is written to it. */
export interface OpenedLedger {
  readonly folder: DeviceFolder;
  readonly config: DeviceConfig;
  readonly trust: Trust;
  readonly clock: Clock;
  readonly identity: DeviceIdentity;
  readonly signers: readonly NoteSigner[];
  readonly ledger: Ledger;
}

/** How long a start waits for the plane's answer. A device without a network goes on recording. */
const patienceMs = 3000;

/**
 * Asks the plane, where it answers, whether this folder is an old copy (evidence.md 2), before a first entry of this run could
 * part it from what the plane holds. One that is only behind gets its entries back; for one that has gone another way a new
 * epoch is settled on.
 *
 * @returns `new-epoch` where the caller has to close the ledger and move on.
 * @throws EdgeError `behind` where fetching back was begun and the plane cannot be reached to end it.
 */
export async function rejoin(opened: OpenedLedger): Promise<"same-epoch" | "new-epoch"> {
  const { ledger, folder } = opened;
  const standing = await askStanding(opened);
  if (standing === undefined || standing.kind === "current") {
    const mark = await readRestoredMark(folder.state);
    if (mark === undefined || ledger.size >= mark.to) return "same-epoch";
    const lacks = `this folder is an old copy: it lacks entries ${ledger.size} to ${mark.to} of ${ledger.origin}`;
    throw new EdgeError("behind", lacks, {
      hint: "connect it to its plane, and it fetches them back; an entry made before that would part it from them",
    });
  }
  const mirror = await mirrorOf(opened);
  if (standing.kind === "behind") {
    await fetchBack(opened, mirror, standing.head);
    return "same-epoch";
  }
  await startEpoch(opened, mirror, standing);
  return "new-epoch";
}

async function startEpoch(
  opened: OpenedLedger,
  mirror: MirroredLedger,
  { heads }: Standing & { kind: "forked" },
): Promise<void> {
  const { ledger, config, identity, folder, clock } = opened;
  const session = new PlaneSession(config.url, folder, identity.origin, clock);
  const anchor = await newestCheckpoint(opened, session, undefined);
  const from = await forkPoint(ledger, mirror, heads);
  const orphan = { size: ledger.size, root: await ledger.root() };
  await beginEpoch({ ...opened, anchor, heads, orphan, from: from === ledger.size ? null : from });
}

async function mirrorOf(
  { config, folder, identity, signers, clock }: OpenedLedger,
  signal?: AbortSignal,
): Promise<MirroredLedger> {
  const { origin } = identity;
  const session = new PlaneSession(config.url, folder, origin, clock, signal);
  return new MirroredLedger({
    url: config.url,
    session,
    origin,
    keySets: await ownKeySets(folder, signers),
    ...(signal !== undefined && { signal }),
  });
}

/** Undefined where the plane does not answer in time, or will not: what is wrong, the next sync says. */
async function askStanding(opened: OpenedLedger): Promise<Standing | undefined> {
  const signal = AbortSignal.timeout(patienceMs);
  try {
    return await standingOf(opened.ledger, await mirrorOf(opened, signal));
  } catch (error) {
    if (error instanceof EdgeError || signal.aborted) return undefined;
    throw error;
  }
}
