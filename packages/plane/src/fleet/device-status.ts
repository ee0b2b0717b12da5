import { type DeviceConflict, type DeviceStatus, type Digest, loadReasons, sha256, toHex } from "@tally/evidence";
import type { Mirror } from "@tally/ledger";
import type { Database } from "@tally/oci";
import type { DeviceRow } from "./device-row.ts";
import { type EpochRequestRow, restoredFrom } from "./epoch-requests.ts";
import { newestKeySet } from "./key-sets.ts";

/** How one ledger stands: its heads, its records, what it refused to run, what was found against it. */
export async function statusOf(db: Database, row: DeviceRow, mirror: Mirror): Promise<DeviceStatus> {
  const { origin } = row;
  const [counted] = await db.query<{ n: number | null }>("SELECT SUM(records) AS n FROM package WHERE origin = ?", [
    origin,
  ]);
  const refusals = await db.query<{ idx: number; manifest: string | null; reason: number }>(
    "SELECT idx, manifest, reason FROM load WHERE origin = ? AND outcome = 'refused' ORDER BY idx DESC LIMIT 20",
    [origin],
  );
  const conflicts = await db.query<DeviceConflict>(
    "SELECT kind, reason, at, evidence FROM conflict WHERE origin = ? ORDER BY at DESC",
    [origin],
  );
  const log = mirror.log(origin);
  return {
    deviceId: row.device_id,
    origin,
    epoch: row.epoch,
    ...(row.name !== null && { name: row.name }),
    ...(row.device_group !== null && { group: row.device_group }),
    state: row.state,
    genesis: row.genesis as Digest,
    keySetId: toHex(sha256(await newestKeySet(db, row))),
    mirroredSize: log?.mirrored?.checkpoint.size ?? 0,
    pendingSize: log?.pending?.checkpoint.size ?? 0,
    lastSync: row.last_sync,
    records: counted?.n ?? 0,
    refusals: refusals.map(({ idx, manifest, reason }) => ({ index: idx, manifest, reason: reasonName(reason) })),
    conflicts: conflicts.map(({ kind, reason, at, evidence }) => ({ kind, reason, at, evidence })),
  };
}

/** A new epoch that nobody has accepted yet: nothing of it is mirrored here. */
export function awaitingStatus(row: EpochRequestRow, known: readonly DeviceStatus[]): DeviceStatus {
  const before = known.findLast(({ deviceId }) => deviceId === row.device_id);
  return {
    deviceId: row.device_id,
    origin: row.origin,
    epoch: row.epoch,
    ...(before?.name !== undefined && { name: before.name }),
    ...(before?.group !== undefined && { group: before.group }),
    state: "awaiting",
    genesis: row.genesis,
    keySetId: toHex(sha256(row.key_set)),
    restored: restoredFrom(row),
    mirroredSize: 0,
    pendingSize: 0,
    lastSync: null,
    records: 0,
    refusals: [],
    conflicts: [],
  };
}

function reasonName(code: number): string {
  return Object.entries(loadReasons).find(([, known]) => known === code)?.[0] ?? `reason ${code}`;
}
