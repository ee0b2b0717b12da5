import { join } from "node:path";
import { type Clock, systemClock } from "@tally/ledger";
import { type Database, FileBlobStore, openSqlite } from "@tally/oci";
import { createFleetTables } from "../fleet/tables.ts";
import { openPlaneKeys, type PlaneKeys } from "../keys/plane-keys.ts";
import { PlaneLogs } from "../log/plane-logs.ts";
import { createOperationTables } from "../operation/tables.ts";
import { createOutsideTables } from "../outside-registry.ts";
import { createPushedTable } from "../registry-access.ts";
import { derivedTablesMissing, emptyDerivedTables } from "../store/derived-tables.ts";
import { layeredBlobs } from "../store/layered-blobs.ts";
import { createTables } from "../store/schema.ts";
import type { PlaneOptions } from "./plane-options.ts";

/** What everything else of a plane reads and writes. */
export interface Stores {
  readonly clock: Clock;
  readonly keys: PlaneKeys;
  readonly db: Database;
  readonly blobs: ReturnType<typeof layeredBlobs>;
  /** What devices bring lies apart: it may be collected, and the plane's own blobs never are. */
  readonly brought: FileBlobStore;
  readonly logs: PlaneLogs;
}

/** Opens keys, tables, blobs and the plane's own logs; `opened` closes them. */
export async function openStores(
  { dir, name, clock = systemClock }: PlaneOptions,
  opened: AsyncDisposableStack,
): Promise<Stores> {
  const keys = await openPlaneKeys(join(dir, "keys"), name);
  const db = await openSqlite(join(dir, "plane.db"));
  opened.defer(() => db.close());
  await createTables(db);
  await createFleetTables(db);
  // Before anything reads from them: what follows fills them again from the logs.
  if (await derivedTablesMissing(db)) await emptyDerivedTables(db);
  await createOperationTables(db);
  await createPushedTable(db);
  await createOutsideTables(db);
  const brought = new FileBlobStore(join(dir, "device-blobs"));
  const blobs = layeredBlobs(new FileBlobStore(join(dir, "blobs")), brought);
  const logs = await PlaneLogs.open(join(dir, "logs"), name, keys, clock);
  opened.defer(() => logs.close());
  return { clock, keys, db, blobs, brought, logs };
}
