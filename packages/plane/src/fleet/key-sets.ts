import type { KeySet } from "@tally/evidence";
import type { Database } from "@tally/oci";
import { type DeviceRow, decodeKeySet } from "./device-row.ts";

interface DatedRow {
  readonly from_size: number;
  readonly key_set: Uint8Array;
}

/** The key set that checkpoints of that size need. */
export async function keySetAt(db: Database, row: DeviceRow, size: number): Promise<KeySet> {
  const [dated] = await db.query<DatedRow>(
    "SELECT from_size, key_set FROM device_keys WHERE origin = ? AND from_size <= ? ORDER BY from_size DESC LIMIT 1",
    [row.origin, size],
  );
  return decodeKeySet(dated?.key_set ?? row.key_set);
}

/** The newest key set, as it is stored: the one that opens sessions. */
export async function newestKeySet(db: Database, row: DeviceRow): Promise<Uint8Array> {
  const [dated] = await db.query<DatedRow>(
    "SELECT from_size, key_set FROM device_keys WHERE origin = ? ORDER BY from_size DESC LIMIT 1",
    [row.origin],
  );
  return dated?.key_set ?? row.key_set;
}
