import type { ContentDigest } from "../../storage/content-digest.ts";
import type { Database } from "../../storage/database.ts";
import type { Decision } from "./decision.ts";
import type { Round } from "./round.ts";

/** Removes stored bytes that no repository holds: what the steps before left, what was deleted, what a stop left in the middle of a push. */
export async function* collectBytes({
  db,
  blobs,
  contents,
  turns,
  since,
  dryRun,
  explain,
}: Round): AsyncGenerator<Decision> {
  for await (const digest of blobs.list()) {
    const held = dryRun ? await isHeldAfter(db, digest) : await contents.holds(digest);
    if (held) continue;
    const decision = await turns.take(digest, async (): Promise<Decision | undefined> => {
      const stored = await blobs.has(digest);
      if (stored === undefined || (!dryRun && (await contents.holds(digest)))) return undefined;
      const bytes = { what: "bytes", digest, size: stored.size } as const;
      // Between the last byte of a push and the repository's word that it holds it.
      if ((stored.storedAt ?? 0) >= since && !(dryRun && (await contents.holds(digest)))) {
        const because = "stored a short while ago, and a push may be under way";
        return explain ? { action: "keep", ...bytes, because } : undefined;
      }
      if (!dryRun) await blobs.delete(digest);
      return { action: "remove", ...bytes, because: "no repository holds it" };
    });
    if (decision !== undefined) yield decision;
  }
}

/** Whether a repository would hold the bytes still after what a dry run found. */
async function isHeldAfter(db: Database, digest: ContentDigest): Promise<boolean> {
  const going = (what: string, held: string) =>
    `NOT EXISTS (SELECT 1 FROM collect_going g WHERE g.repository = ${held}.repository AND g.digest = ${held}.digest AND g.what = '${what}')`;
  const sql = `SELECT 1 AS found FROM registry_blob b WHERE b.digest = ? AND ${going("blob", "b")}
    UNION ALL SELECT 1 FROM registry_manifest m WHERE m.digest = ? AND ${going("manifest", "m")} LIMIT 1`;
  return (await db.query(sql, [digest, digest])).length > 0;
}
