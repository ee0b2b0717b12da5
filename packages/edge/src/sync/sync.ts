import type { Digest } from "@tally/evidence";
import { type DeviceCore, whenRoom } from "../device-core.ts";
import { EdgeError } from "../error.ts";
import type { PlaneSession } from "../plane/session.ts";
import { requireContinuing } from "../recovery/continuing.ts";
import { sendEpochRequest } from "../recovery/send-request.ts";
import { type AnchorPolicy, isAnchored } from "./anchor-policy.ts";
import { deliverAll, deliverHead } from "./deliver.ts";
import { newestCheckpoint } from "./newest-checkpoint.ts";
import type { PlaneCheckpoint } from "./plane-checkpoint.ts";
import { readSyncState, writeSyncState } from "./sync-state.ts";

/** What a sync brought to the plane. */
export interface SyncReport {
  /** Entries that the plane now holds, of `origin`. */
  readonly mirrored: number;
  /** Entries that were new to it. */
  readonly sent: number;
  /** Size of the newest head that it now holds. */
  readonly proven: number;
  /** Blobs that entries name and that went up before. */
  readonly blobs: readonly Digest[];
  /** Size of the plane's log that this sync saw, and that it anchored the ledger to unless it had nothing to anchor. */
  readonly anchoredTo: number;
}

export interface SyncOptions {
  /** Default `always`. */
  readonly anchor?: AnchorPolicy;
  readonly signal?: AbortSignal;
}

/**
 * One whole sync, in the order that makes the evidence good: newest cosigned plane checkpoint, anchor, summary, blobs,
 * seal, add-checkpoint, add-entries. It may stop anywhere; the next one goes on.
 *
 * @throws EdgeError `unreachable`: nothing is lost; `blocked`: the plane keeps this device out; `behind`: the plane has
 *   more of this ledger than this folder; `awaiting`: nobody has accepted the new epoch yet; `plane-untrusted`;
 *   `plane-refused`.
 */
export async function syncDevice(
  core: DeviceCore,
  session: PlaneSession,
  options: SyncOptions = {},
): Promise<SyncReport> {
  try {
    return await syncOnce(core, session, options);
  } catch (caught) {
    // Whatever was refused may have been the token.
    session.forget();
    const error = await verdictOn(caught, session);
    // A new session shows the plane the checkpoint that it no longer continues.
    if (error instanceof EdgeError && error.code === "plane-untrusted") await session.token().catch(() => {});
    if (error instanceof EdgeError && error.code === "blocked") await keepBlocked(core, error.message);
    throw error;
  }
}

/** What was behind may by now be convicted by what it offered; the plane says so when asked for a session. */
async function verdictOn(error: unknown, session: PlaneSession): Promise<unknown> {
  if (!(error instanceof EdgeError) || error.code !== "behind") return error;
  return session.token().then(
    () => error,
    (said: unknown) => (said instanceof EdgeError && said.code === "blocked" ? said : error),
  );
}

async function syncOnce(
  core: DeviceCore,
  session: PlaneSession,
  { anchor = "always", signal }: SyncOptions,
): Promise<SyncReport> {
  const { folder, config, clock } = core;
  const state = await readSyncState(folder.state);
  const before = state?.mirrored ?? 0;
  await sendEpochRequest(core, signal);
  await requireContinuing(core, session, signal);
  const checkpoint = await newestCheckpoint(core, session, signal);
  const rests = anchor === "when-due" && isAnchored(core, state);
  const anchoredAt = rests ? state?.anchoredAt : clock.now();
  if (!rests) await writeAnchor(core, checkpoint);
  const delivery = { core, session, signal, state };
  const delivered = config.sync === "heads-only" ? await deliverHead(delivery) : await deliverAll(delivery);
  const { mirrored, proven, blobs } = delivered;
  await writeSyncState(folder.state, {
    mirrored,
    ...(proven > mirrored && { proven }),
    at: clock.now(),
    ...(anchoredAt !== undefined && { anchoredAt }),
  });
  return { mirrored, sent: Math.max(0, mirrored - before), proven, blobs, anchoredTo: checkpoint.checkpoint.size };
}

async function writeAnchor(core: DeviceCore, { checkpoint, noteHash }: PlaneCheckpoint): Promise<void> {
  const { size, root } = checkpoint;
  await whenRoom(core, () => core.recorder.note({ kind: "anchor", size, root, noteHash }));
  await whenRoom(core, () => core.recorder.summary());
}

async function keepBlocked({ folder, clock }: DeviceCore, blocked: string): Promise<void> {
  const { mirrored = 0 } = (await readSyncState(folder.state)) ?? {};
  await writeSyncState(folder.state, { mirrored, at: clock.now(), blocked });
}
