import type { Database } from "@tally/oci";
import { forgetRestored, type Restored, readRestored } from "../backup/index.ts";
import { PlaneError } from "../error.ts";
import type { Logger } from "../operation/logger.ts";

export interface RestoredGateOptions {
  readonly dir: string;
  readonly db: Database;
  /** Whether a quorum of witnesses has to agree anyway. */
  readonly witnessed: boolean;
  /** The operator's word that devices need not be asked. */
  readonly withoutDevices: boolean;
  readonly logger: Logger;
}

/**
 * A folder that was restored signs nothing before those who would know have been asked. With a quorum of witnesses these
 * are the witnesses: nothing was published without them. Without, only devices can tell what was, and all of them have to.
 */
export class RestoredGate {
  readonly #options: RestoredGateOptions;
  #restored: Restored | undefined;

  private constructor(options: RestoredGateOptions, restored: Restored | undefined) {
    this.#options = options;
    this.#restored = restored;
  }

  static async open(options: RestoredGateOptions): Promise<RestoredGate> {
    return new RestoredGate(options, await readRestored(options.dir));
  }

  /** A device has opened a session and shown what it holds; what speaks against this folder was kept before. */
  async heard(origin: string): Promise<void> {
    if (this.#restored === undefined) return;
    await this.#options.db.run("INSERT INTO device_heard (origin, restored_at) VALUES (?, ?) ON CONFLICT DO NOTHING", [
      origin,
      this.#restored.restoredAt,
    ]);
  }

  /** @throws PlaneError `not-ready` while devices are missing. */
  async requireHeard(): Promise<void> {
    if (this.#restored === undefined) return;
    const { db, witnessed, withoutDevices } = this.#options;
    if (witnessed || withoutDevices) return;
    const { backupAt, restoredAt } = this.#restored;
    const missing = await db.query<{ origin: string }>(
      `SELECT origin FROM device WHERE state IN ('enrolled', 'ok') AND origin NOT IN
       (SELECT origin FROM device_heard WHERE restored_at = ?) ORDER BY fleet_index`,
      [restoredAt],
    );
    if (missing.length === 0) return;
    const some = missing.slice(0, 5).map(({ origin }) => origin);
    const more = missing.length > some.length ? ` and ${missing.length - some.length} more` : "";
    throw new PlaneError(
      "not-ready",
      `this folder was restored from a backup of ${new Date(backupAt).toISOString()}, there are no witnesses, and these devices have not shown what they hold: ${some.join(", ")}${more}`,
      {
        hint: "each does with its next sync; if nothing was published after the backup, or devices are gone: --insecure-sign-without-devices",
      },
    );
  }

  /** All were asked: from the first signature on this is a folder like any other. */
  async passed(): Promise<void> {
    if (this.#restored === undefined) return;
    const { dir, db, logger } = this.#options;
    logger.info({ ...this.#restored }, "restored, and nothing beyond the backup was found published");
    await forgetRestored(dir);
    await db.run("DELETE FROM device_heard");
    this.#restored = undefined;
  }
}
