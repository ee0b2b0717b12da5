import type { ContentDigest } from "../../storage/content-digest.ts";
import type { Database } from "../../storage/database.ts";
import { dropLink, isPart } from "../contents.ts";
import { type Decision, pageLength } from "./decision.ts";
import type { Round } from "./round.ts";
import { inStep } from "./working-tables.ts";

interface Row {
  readonly digest: ContentDigest;
  readonly size: number;
  readonly touched: number;
  readonly part_of: ContentDigest | null;
  readonly named: string | null;
}

/** Removes blobs that a repository holds, no manifest in it names and evidence does not need. */
export async function* collectBlobs(round: Round, repository: string): AsyncGenerator<Decision> {
  // A manifest that would go names nothing in a dry run.
  const sql = `SELECT b.digest, b.size, b.touched,
      (SELECT p.manifest FROM registry_part p WHERE p.repository = b.repository AND p.part = b.digest
        AND NOT EXISTS (SELECT 1 FROM collect_going g WHERE g.repository = p.repository AND g.digest = p.manifest AND g.what = 'manifest')
        LIMIT 1) AS part_of,
      (SELECT n.because FROM collect_named n WHERE n.digest = b.digest) AS named
    FROM registry_blob b WHERE b.repository = ? AND b.digest > ? ORDER BY b.digest LIMIT ?`;
  for (let last = ""; ; ) {
    const rows = await round.db.query<Row>(sql, [repository, last, pageLength]);
    const unnamed = rows.filter((row) => whyKept(row, round.since) === undefined);
    const gone = unnamed.length === 0 ? new Set() : await remove(round, repository, unnamed);
    for (const row of rows) {
      const { digest, size } = row;
      const blob = { what: "blob", repository, digest, size } as const;
      if (gone.has(digest)) yield { action: "remove", ...blob, because: "no manifest in the repository names it" };
      else if (round.explain)
        yield { action: "keep", ...blob, because: whyKept(row, round.since) ?? "it came to be needed meanwhile" };
    }
    if (rows.length < pageLength) return;
    last = rows.at(-1)!.digest;
  }
}

function whyKept({ part_of, named, touched }: Row, since: number): string | undefined {
  if (part_of !== null) return `part of ${part_of}`;
  if (named !== null) return named;
  return touched >= since ? "brought a short while ago, and a manifest may be on its way" : undefined;
}

/** Those that went: each was looked at again in the step that removed it. */
function remove(
  { db, reader, since, dryRun, readNames }: Round,
  repository: string,
  rows: readonly Row[],
): Promise<ReadonlySet<ContentDigest>> {
  return reader.alone(async () => {
    await readNames(rows.map(({ digest }) => digest));
    const gone = new Set<ContentDigest>();
    const step = async (tx: Database): Promise<void> => {
      for (const { digest } of rows) {
        if (dryRun) {
          const going =
            "INSERT INTO collect_going (repository, digest, what) VALUES (?, ?, 'blob') ON CONFLICT DO NOTHING";
          await tx.run(going, [repository, digest]);
          gone.add(digest);
          continue;
        }
        if (await isPart(tx, repository, digest)) continue;
        const sql = `SELECT 1 AS found FROM registry_blob b WHERE b.repository = ? AND b.digest = ? AND b.touched < ?
          AND NOT EXISTS (SELECT 1 FROM collect_named n WHERE n.digest = b.digest)`;
        if ((await tx.query(sql, [repository, digest, since])).length === 0) continue;
        if (await dropLink(tx, repository, digest)) gone.add(digest);
      }
    };
    await (dryRun ? inStep(db, step) : db.transaction(step));
    return gone;
  });
}
