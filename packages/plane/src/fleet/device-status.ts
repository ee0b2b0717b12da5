import { type DeviceConflict, type DeviceStatus, loadReasons } from "@tally/evidence";
import type { Mirror } from "@tally/ledger";
import type { Database } from "@tally/oci";
import type { DeviceRow } from "./device-row.ts";

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
    mirroredSize: log?.mirrored?.checkpoint.size ?? 0,
    pendingSize: log?.pending?.checkpoint.size ?? 0,
    lastSync: row.last_sync,
    records: counted?.n ?? 0,
    refusals: refusals.map(({ idx, manifest, reason }) => ({ index: idx, manifest, reason: reasonName(reason) })),
    conflicts: conflicts.map(({ kind, reason, at, evidence }) => ({ kind, reason, at, evidence })),
  };
}

function reasonName(code: number): string {
  return Object.entries(loadReasons).find(([, known]) => known === code)?.[0] ?? `reason ${code}`;
}
