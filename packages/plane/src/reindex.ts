import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "@tally/ledger";
import { FileBlobStore, openSqlite } from "@tally/oci";
import { PlaneError } from "./error.ts";
import { openPlaneKeys } from "./keys/plane-keys.ts";
import { HeadsStore } from "./log/heads-store.ts";
import { PlaneLogs } from "./log/plane-logs.ts";
import { EntryIndex } from "./mirror/entry-index.ts";
import { openIdleMirror } from "./mirror/open-idle.ts";
import { Identities, Statements } from "./statements/index.ts";
import { emptyDerivedTables } from "./store/derived-tables.ts";
import { layeredBlobs } from "./store/layered-blobs.ts";
import { createTables } from "./store/schema.ts";

export interface ReindexOptions {
  /** The folder of a plane that does not run. */
  readonly dir: string;
  /** Told after each ledger. */
  readonly onLedger?: (origin: string, entries: number) => void;
}

/** What the index was made of. */
export interface ReindexReport {
  readonly plane: string;
  readonly ledgers: number;
  /** Entries of all of them. */
  readonly entries: number;
  readonly statements: number;
}

/**
 * Makes the plane's index again from its logs, its blobs and its lists of heads: the tables are emptied, and every ledger and the
 * log of statements are read from their first entry on. May be stopped anywhere: the next run, or the next start of the plane,
 * reads on.
 *
 * @throws PlaneError `configuration` for a folder that holds no plane; LedgerError `locked` while the plane runs.
 */
export async function reindexPlane({ dir, onLedger = () => {} }: ReindexOptions): Promise<ReindexReport> {
  const name = await planeNameOf(dir);
  const keys = await openPlaneKeys(join(dir, "keys"), name);
  const cleanup: (() => Promise<unknown>)[] = [];
  try {
    // First of all: its lock says whether the plane runs.
    const mirror = await openIdleMirror(dir);
    cleanup.push(() => mirror.close());
    const logs = await PlaneLogs.open(join(dir, "logs"), name, keys, systemClock);
    cleanup.push(() => logs.close());
    const db = await openSqlite(join(dir, "plane.db"));
    cleanup.push(() => db.close());
    await createTables(db);
    await emptyDerivedTables(db);

    const index = new EntryIndex(db);
    let entries = 0;
    for (const origin of mirror.origins()) {
      const log = mirror.log(origin)!;
      await index.catchUp(log);
      entries += log.nextEntry;
      onLedger(origin, log.nextEntry);
    }
    await new HeadsStore(db).catchUp();
    const identities = new Identities({ db, name, keys, policyText: "quorum none\n" });
    const blobs = layeredBlobs(new FileBlobStore(join(dir, "blobs")), new FileBlobStore(join(dir, "device-blobs")));
    await new Statements({ db, blobs, logs, identities, clock: systemClock }).rebuild();
    const [statements] = await db.query<{ n: number }>("SELECT COUNT(*) AS n FROM statement");
    return { plane: name, ledgers: mirror.origins().length, entries, statements: statements!.n };
  } finally {
    for (const close of cleanup.reverse()) await close();
  }
}

/** @throws PlaneError `configuration` for a folder that holds no plane */
export async function planeNameOf(dir: string): Promise<string> {
  const text = await readFile(join(dir, "plane.json"), "utf8").catch(() => undefined);
  const name = text === undefined ? undefined : (JSON.parse(text) as { name?: unknown }).name;
  if (typeof name === "string") return name;
  throw new PlaneError("configuration", `${dir} holds no plane`, {
    hint: "give the folder that `tally serve --dir` has",
  });
}
