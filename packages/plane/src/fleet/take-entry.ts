import { type Digest, digestFromHash, type Enrol, type Entry, type Epoch, type Revoke } from "@tally/evidence";
import type { Database } from "@tally/oci";
import type { Tokens } from "../access/tokens.ts";
import { type DeviceRow, encodeKeySet } from "./device-row.ts";

/** Takes one entry of the fleet log into the tables. One that is taken twice changes nothing. */
export async function takeEntry(entry: Entry, index: number, db: Database, tokens: Tokens): Promise<void> {
  switch (entry.kind) {
    case "enrol":
      await addDevice(entry, index, await labelsOfToken(entry.origin, db), db);
      return;
    case "epoch":
      await takeEpoch(entry, index, db, tokens);
      return;
    case "keys":
      await db.run("INSERT INTO device_keys (origin, from_size, key_set) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", [
        entry.origin,
        entry.fromSize,
        encodeKeySet(entry.keySet),
      ]);
      return;
    case "revoke":
      await markDecided(entry.statement, db);
      if (entry.origin === null) await revokeKey(entry, index, db);
      else await endLedger(entry.origin, "revoked", db, tokens);
      return;
    case "decommission":
      if (entry.statement !== null) await markDecided(entry.statement, db);
      await endLedger(entry.origin, "decommissioned", db, tokens);
      return;
    default:
  }
}

type Labels = Pick<DeviceRow, "name" | "device_group">;

async function labelsOfToken(origin: string, db: Database): Promise<Labels | undefined> {
  const [labels] = await db.query<Labels>("SELECT name, device_group FROM enrolment_token WHERE origin = ?", [origin]);
  return labels;
}

/** The device goes on under the new origin; the ledgers before it are closed, and stay what they were found to be. */
async function takeEpoch(entry: Epoch, index: number, db: Database, tokens: Tokens): Promise<void> {
  const { origin, deviceId, statement } = entry;
  if (statement !== undefined) await markDecided(statement, db);
  const older = await db.query<DeviceRow>("SELECT * FROM device WHERE device_id = ? ORDER BY epoch", [deviceId]);
  await addDevice(entry, index, older.at(-1), db);
  await db.run("DELETE FROM epoch_request WHERE device_id = ? AND epoch <= ?", [deviceId, entry.epoch]);
  await db.run(
    "UPDATE device SET state = 'superseded' WHERE device_id = ? AND epoch < ? AND state IN ('enrolled', 'ok', 'diverged')",
    [deviceId, entry.epoch],
  );
  for (const row of older) if (row.origin !== origin) await tokens.endSessions(row.origin);
}

async function addDevice(entry: Enrol | Epoch, index: number, labels: Labels | undefined, db: Database): Promise<void> {
  const { origin, deviceId, epoch, genesisHash, keySet } = entry;
  await db.run(
    "INSERT INTO device (origin, device_id, epoch, name, device_group, state, genesis, key_set, fleet_index, last_sync) VALUES (?, ?, ?, ?, ?, 'enrolled', ?, ?, ?, NULL) ON CONFLICT DO NOTHING",
    [
      origin,
      deviceId,
      epoch,
      labels?.name ?? null,
      labels?.device_group ?? null,
      digestFromHash(genesisHash),
      encodeKeySet(keySet),
      index,
    ],
  );
}

/** Of two revocations the one under which less holds counts, as for a verifier. */
async function revokeKey({ keyId, compromiseTime, statement }: Revoke, index: number, db: Database): Promise<void> {
  await db.run("INSERT INTO key_revocation (idx, statement) VALUES (?, ?) ON CONFLICT DO NOTHING", [index, statement]);
  await db.run(
    `INSERT INTO revoked_key (key_id, compromise_time) VALUES (?, ?) ON CONFLICT (key_id) DO UPDATE SET compromise_time =
     CASE WHEN compromise_time IS NULL OR excluded.compromise_time IS NULL THEN NULL
     ELSE MIN(compromise_time, excluded.compromise_time) END`,
    [keyId, compromiseTime],
  );
}

async function endLedger(origin: string, state: "revoked" | "decommissioned", db: Database, tokens: Tokens) {
  // Revoked says more than decommissioned: which of its records hold depends on it.
  const sql = "UPDATE device SET state = ? WHERE origin = ? AND state <> 'revoked'";
  await db.run(sql, [state, origin]);
  await tokens.endSessions(origin);
}

async function markDecided(statement: Digest, db: Database): Promise<void> {
  await db.run("INSERT INTO decided (statement) VALUES (?) ON CONFLICT DO NOTHING", [statement]);
}
