import {
  emptyRoot,
  equalBytes,
  type Predecessor,
  type RootHash,
  randomBytes,
  type Trust,
  toHex,
} from "@tally/evidence";
import type { Clock, LogReader } from "@tally/ledger";
import type { DeviceFolder } from "../folder/device-folder.ts";
import type { DeviceIdentity } from "../identity.ts";
import type { MirroredHeads, MirroredLedger } from "../plane/mirrored-ledger.ts";
import type { PlaneCheckpoint } from "../sync/plane-checkpoint.ts";
import { writeEpochDraft } from "./epoch-draft.ts";

export interface NewEpoch {
  readonly folder: DeviceFolder;
  readonly identity: DeviceIdentity;
  readonly trust: Trust;
  readonly clock: Clock;
  /** The newest cosigned checkpoint of the plane: the new ledger's first anchor. */
  readonly anchor: PlaneCheckpoint;
  /** What the plane holds of the old ledger. */
  readonly heads: MirroredHeads | undefined;
  /** The end of the branch that is given up, as far as it is known. */
  readonly orphan: { readonly size: number; readonly root: RootHash };
  /** The first entry of the branch that the plane has not; null where nothing is to be uploaded. */
  readonly from: number | null;
  readonly token?: string;
  /** Whether the new ledger is signed with new keys. */
  readonly newKeys?: boolean;
}

/** Settles on a new epoch, durably. What follows is `moveToEpoch`. */
export async function beginEpoch(epoch: NewEpoch): Promise<void> {
  const { folder, identity, anchor, heads, orphan, from, clock, token, newKeys } = epoch;
  const predecessor: Predecessor = {
    mirroredSize: heads?.mirrored?.size ?? 0,
    mirroredRoot: heads?.mirrored?.root ?? emptyRoot,
    orphanSize: orphan.size,
    orphanRoot: orphan.root,
  };
  await writeEpochDraft(folder, {
    deviceId: identity.deviceId,
    epoch: identity.epoch + 1,
    previous: identity.epoch,
    nonce: toHex(randomBytes(32)),
    anchor: anchor.note,
    time: clock.now(),
    predecessor,
    from,
    ...(token !== undefined && { token }),
    ...(newKeys === true && { newKeys }),
  });
}

/**
 * Where the ledger and what the mirror holds part: the largest size for which both have the same root. Asks the mirror for a
 * number of nodes that grows with the logarithm of the sizes, squared.
 */
export async function forkPoint(
  ledger: Pick<LogReader, "size" | "root">,
  mirror: Pick<MirroredLedger, "rootAt">,
  heads: MirroredHeads,
): Promise<number> {
  const head = heads.mirrored;
  if (head === undefined) return 0;
  let [same, other] = [0, Math.min(ledger.size, head.size) + 1];
  while (other - same > 1) {
    const middle = Math.floor((same + other) / 2);
    if (equalBytes(await ledger.root(middle), await mirror.rootAt(middle, head))) same = middle;
    else other = middle;
  }
  return same;
}
