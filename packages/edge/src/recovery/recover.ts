import {
  type Checkpoint,
  emptyRoot,
  type NoteSigner,
  parseCheckpoint,
  type Trust,
  utf8,
  verifyAllOf,
} from "@tally/evidence";
import { type Clock, Ledger, systemClock } from "@tally/ledger";
import { type DeviceConfig, readConfig } from "../config.ts";
import { EdgeError } from "../error.ts";
import { type DeviceFolder, deviceFolder } from "../folder/device-folder.ts";
import { asText } from "../folder/json.ts";
import { type DeviceIdentity, keySetOf, readIdentity, readSigners } from "../identity.ts";
import { askPlane, jsonOf } from "../plane/http.ts";
import { type MirroredHeads, MirroredLedger } from "../plane/mirrored-ledger.ts";
import { PlaneSession } from "../plane/session.ts";
import { ownKeySets } from "../rotation/key-folders.ts";
import { newestCheckpoint } from "../sync/newest-checkpoint.ts";
import { openPlaneCheckpoint, type PlaneCheckpoint } from "../sync/plane-checkpoint.ts";
import { readTrust } from "../trust-file.ts";
import { beginEpoch, forkPoint } from "./begin-epoch.ts";
import { readRequest } from "./epoch-request.ts";
import { moveToEpoch } from "./move-to-epoch.ts";
import { standingOf } from "./standing.ts";

export interface RecoverOptions {
  readonly dir: string;
  /** An enrolment token, where the keys of this folder open no session any more. */
  readonly token?: string;
  /** Begins the epoch under new keys, as after a compromise. */
  readonly newKeys?: boolean;
  readonly clock?: Clock;
}

interface Place {
  readonly folder: DeviceFolder;
  readonly config: DeviceConfig;
  readonly trust: Trust;
  readonly identity: DeviceIdentity;
  readonly signers: readonly NoteSigner[];
  readonly clock: Clock;
  readonly token: string | undefined;
}

/**
 * Lets a device go on in a new epoch: its ledger is damaged, went another way than its plane holds, or is under keys that count no
 * more. The old ledger is kept in the folder as it is. The next sync asks the plane, and a person accepts.
 *
 * @throws EdgeError `not-enrolled`, `device-locked`, `request-invalid` where nothing is wrong, `unreachable`, `blocked`,
 *   `plane-refused`, `plane-untrusted`
 */
export async function recoverDevice({ dir, token, newKeys = false, clock = systemClock }: RecoverOptions) {
  const folder = deviceFolder(dir);
  const enrolled = await readIdentity(folder);
  if (enrolled === undefined) {
    throw new EdgeError("not-enrolled", `${dir} holds no enrolled device`, { hint: "enrol it: tally device enroll" });
  }
  const trust = await readTrust(folder.trust);
  const identity = await moveToEpoch(folder, enrolled, trust, clock);
  // An epoch that was settled on, and had not begun or was not asked for yet, is all there is to do.
  if (identity !== enrolled || (await readRequest(folder)) !== undefined) return identity;
  const config = await readConfig(folder.config);
  const signers = await readSigners(folder, identity.origin);
  const place: Place = { folder, config, trust, identity, signers, clock, token };
  const ledger = await Ledger.open({ dir: folder.journal, origin: identity.origin, signers, clock }).catch(lockedOr);
  try {
    const { anchor, heads } = await whatThePlaneHolds(place);
    const damaged = ledger.damage !== undefined;
    const forked =
      !damaged && token === undefined && (await standingOf(ledger, await mirrorOf(place))).kind === "forked";
    if (!damaged && !forked && !newKeys) {
      throw new EdgeError("request-invalid", `nothing is wrong with ${identity.origin}: it needs no new epoch`, {
        hint: "for one under new keys, as after a compromise, say so: --new-keys",
      });
    }
    const orphan = damaged
      ? (ledger.latest?.checkpoint ?? heads?.mirrored ?? { size: 0, root: emptyRoot })
      : { size: ledger.size, root: await ledger.root() };
    const from = forked && heads !== undefined ? await forkPoint(ledger, await mirrorOf(place), heads) : null;
    const epoch = { folder, identity, trust, clock, anchor, heads, orphan, from, newKeys };
    await beginEpoch({ ...epoch, ...(token !== undefined && { token }) });
  } finally {
    await ledger.close();
  }
  return moveToEpoch(folder, identity, trust, clock);
}

async function whatThePlaneHolds(place: Place): Promise<{ anchor: PlaneCheckpoint; heads: MirroredHeads | undefined }> {
  const { token, config, folder, identity, trust, signers, clock } = place;
  if (token === undefined) {
    const session = new PlaneSession(config.url, folder, identity.origin, clock);
    const anchor = await newestCheckpoint({ folder, trust, config }, session, undefined);
    return { anchor, heads: await (await mirrorOf(place)).heads() };
  }
  const path = `/api/v1/genesis?${new URLSearchParams({ ledger: identity.origin })}`;
  const answer = jsonOf(await askPlane(config.url, { method: "GET", path, token }), "the first anchor");
  const anchor = openPlaneCheckpoint(asText(answer.checkpoint, "checkpoint", "plane-refused"), trust);
  if (answer.mirrored === null) return { anchor, heads: undefined };
  const mirrored = ownCheckpoint(asText(answer.mirrored, "mirrored", "plane-refused"), identity.origin, signers);
  return { anchor, heads: { pending: mirrored, mirrored } };
}

function ownCheckpoint(note: string, origin: string, signers: readonly NoteSigner[]): Checkpoint {
  try {
    return verifyAllOf(parseCheckpoint(utf8(note)).note, origin, keySetOf(signers));
  } catch (cause) {
    throw new EdgeError("plane-untrusted", `what the plane shows of ${origin} is not signed by this device`, { cause });
  }
}

async function mirrorOf({ config, folder, identity, signers, clock }: Place): Promise<MirroredLedger> {
  const { origin } = identity;
  const session = new PlaneSession(config.url, folder, origin, clock);
  return new MirroredLedger({ url: config.url, session, origin, keySets: await ownKeySets(folder, signers) });
}

function lockedOr(cause: unknown): never {
  const { code, message } = cause as { code?: string; message: string };
  if (code !== "locked") throw cause;
  throw new EdgeError("device-locked", message, { cause, hint: "stop the other process first" });
}
