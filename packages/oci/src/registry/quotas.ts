import { matchesRepository } from "@tally/evidence";
import { OciError } from "../error.ts";
import type { Database } from "../storage/database.ts";
import { Refusal } from "./refusal.ts";
import { requirePattern } from "./retention.ts";

/** What all repositories of a pattern may hold together; null where there is no bound. */
export interface Quota {
  readonly pattern: string;
  readonly bytes: number | null;
  readonly manifests: number | null;
}

/** A quota and what is taken of it. A blob counts in each repository that holds it. */
export interface QuotaUse extends Quota {
  readonly usedBytes: number;
  readonly usedManifests: number;
}

const columns = 'pattern, bytes, manifests, used_bytes AS "usedBytes", used_manifests AS "usedManifests"';

/** Bounds of what repositories hold, counted in the same step as what is added or removed: pushes side by side cannot exceed one. */
export class Quotas {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  list(): Promise<readonly QuotaUse[]> {
    return quotasOf(this.#db);
  }

  /** Sets what a pattern's repositories may hold, which may be less than they do. Throws `name-invalid`, `refused`. */
  async set({ pattern, bytes, manifests }: Quota): Promise<QuotaUse> {
    requirePattern(pattern);
    for (const bound of [bytes, manifests]) {
      if (bound !== null && !(Number.isSafeInteger(bound) && bound >= 0))
        throw new OciError("refused", "a quota is a number of bytes or manifests from 0 on");
    }
    return this.#db.transaction(async (tx) => {
      const used = await usedBy(tx, pattern);
      await tx.run(
        `INSERT INTO registry_quota (pattern, bytes, manifests, used_bytes, used_manifests) VALUES (?, ?, ?, ?, ?)
          ON CONFLICT (pattern) DO UPDATE SET bytes = excluded.bytes, manifests = excluded.manifests,
            used_bytes = excluded.used_bytes, used_manifests = excluded.used_manifests`,
        [pattern, bytes, manifests, used.bytes, used.manifests],
      );
      return { pattern, bytes, manifests, usedBytes: used.bytes, usedManifests: used.manifests };
    });
  }

  /** Whether there was one. */
  async remove(pattern: string): Promise<boolean> {
    return (await this.#db.run("DELETE FROM registry_quota WHERE pattern = ?", [pattern])).changes > 0;
  }

  /** Counts everything again: at a start, in case something else has written the tables. */
  async recount(): Promise<void> {
    for (const quota of await this.list()) await this.set(quota);
  }

  /** How many bytes more a repository may hold; undefined without a bound. */
  async room(repository: string): Promise<{ readonly bytes: number; readonly quota: QuotaUse } | undefined> {
    let least: { bytes: number; quota: QuotaUse } | undefined;
    for (const quota of await quotasOf(this.#db, repository)) {
      if (quota.bytes === null) continue;
      const bytes = Math.max(0, quota.bytes - quota.usedBytes);
      if (least === undefined || bytes < least.bytes) least = { bytes, quota };
    }
    return least;
  }
}

/** Counts what a repository gains or loses, within the step that makes it so. Throws `Refusal` for a gain beyond a quota. */
export async function account(
  tx: Database,
  repository: string,
  gained: { readonly bytes: number; readonly manifests: number },
): Promise<void> {
  for (const quota of await quotasOf(tx, repository)) {
    const bytes = quota.usedBytes + gained.bytes;
    const manifests = quota.usedManifests + gained.manifests;
    if (gained.bytes > 0 && quota.bytes !== null && bytes > quota.bytes)
      throw overQuota(repository, quota, gained.bytes);
    if (gained.manifests > 0 && quota.manifests !== null && manifests > quota.manifests) {
      throw overQuota(repository, quota, gained.bytes);
    }
    const sql = "UPDATE registry_quota SET used_bytes = ?, used_manifests = ? WHERE pattern = ?";
    await tx.run(sql, [bytes, manifests, quota.pattern]);
  }
}

/** The answer to a push beyond a quota: 403 `DENIED`, which clients of other registries know as that. */
export function overQuota(repository: string, quota: QuotaUse, asked: number): Refusal {
  const { pattern, bytes, manifests, usedBytes, usedManifests } = quota;
  const what =
    manifests !== null && usedManifests >= manifests
      ? `${usedManifests} of ${manifests} manifests are there`
      : `${usedBytes} of ${bytes} bytes are taken, and ${asked} more were asked for`;
  return new Refusal(403, "DENIED", `${repository} is over the quota of ${pattern}: ${what}`, {
    detail: { quota: pattern, bytes, manifests, usedBytes, usedManifests },
  });
}

async function quotasOf(db: Database, repository?: string): Promise<QuotaUse[]> {
  const quotas = await db.query<QuotaUse>(`SELECT ${columns} FROM registry_quota ORDER BY pattern`);
  return repository === undefined ? quotas : quotas.filter(({ pattern }) => matchesRepository(pattern, repository));
}

async function usedBy(db: Database, pattern: string): Promise<{ bytes: number; manifests: number }> {
  const sql = `SELECT repository, SUM(size) AS bytes, SUM(manifest) AS manifests FROM (
      SELECT repository, size, 0 AS manifest FROM registry_blob
      UNION ALL SELECT repository, size, 1 FROM registry_manifest) GROUP BY repository`;
  const used = { bytes: 0, manifests: 0 };
  for (const row of await db.query<{ repository: string; bytes: number; manifests: number }>(sql)) {
    if (!matchesRepository(pattern, row.repository)) continue;
    used.bytes += row.bytes;
    used.manifests += row.manifests;
  }
  return used;
}
