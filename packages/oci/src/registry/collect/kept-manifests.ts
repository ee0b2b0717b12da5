import type { ContentDigest } from "../../storage/content-digest.ts";
import type { Database } from "../../storage/database.ts";
import { timeless } from "../referrers.ts";
import { inWords, type Retention } from "../retention.ts";
import { pageLength } from "./decision.ts";

interface Root {
  readonly digest: ContentDigest;
  readonly pushed: number;
  readonly tag: string | null;
  readonly named: string | null;
}

/**
 * Finds which manifests of a repository stay, into `registry_kept`. Those stay that have a tag, that evidence names, that a
 * write-once rule keeps, or that were pushed after `since`; and from each that stays on: what an index lists, what refers to it,
 * and what it refers to.
 */
export async function findKept(db: Database, repository: string, retention: Retention, since: number): Promise<void> {
  await empty(db, repository);
  let seq = 0;
  const keep = async (tx: Database, digest: ContentDigest, because: string): Promise<void> => {
    const sql =
      "INSERT INTO registry_kept (repository, digest, because, seq) VALUES (?, ?, ?, ?) ON CONFLICT (repository, digest) DO NOTHING";
    if ((await tx.run(sql, [repository, digest, because, seq + 1])).changes > 0) seq += 1;
  };

  for (let last = ""; ; ) {
    const rows = await db.query<Root>(
      `SELECT m.digest, m.pushed,
         (SELECT t.tag FROM registry_tag t WHERE t.repository = m.repository AND t.digest = m.digest LIMIT 1) AS tag,
         (SELECT n.because FROM registry_named n WHERE n.digest = m.digest) AS named
       FROM registry_manifest m WHERE m.repository = ? AND m.digest > ? ORDER BY m.digest LIMIT ?`,
      [repository, last, pageLength],
    );
    await inStep(db, async (tx) => {
      for (const row of rows) {
        const because = await reason(tx, repository, row, retention, since);
        if (because !== undefined) await keep(tx, row.digest, because);
      }
    });
    if (rows.length < pageLength) break;
    last = rows.at(-1)!.digest;
  }

  for (let done = 0; done < seq; ) {
    const frontier = await db.query<{ digest: ContentDigest; seq: number }>(
      "SELECT digest, seq FROM registry_kept WHERE repository = ? AND seq > ? ORDER BY seq LIMIT ?",
      [repository, done, pageLength],
    );
    for (const { digest } of frontier) {
      for await (const page of neighbours(db, repository, digest)) {
        await inStep(db, async (tx) => {
          for (const { digest, because } of page) await keep(tx, digest, because);
        });
      }
    }
    done = frontier.at(-1)!.seq;
  }
}

async function reason(
  db: Database,
  repository: string,
  { pushed, tag, named }: Root,
  retention: Retention,
  since: number,
): Promise<string | undefined> {
  if (tag !== null) return `tag ${tag}`;
  if (named !== null) return named;
  const protection = await retention.protection(db, repository, pushed);
  if (protection !== undefined)
    return `written once by the rule ${protection.rule.pattern}, ${inWords(protection.rule.ms)}`;
  return pushed >= since ? "pushed a short while ago" : undefined;
}

interface Neighbour {
  readonly digest: ContentDigest;
  readonly because: string;
}

/** Manifests that stay because one does, a page at a time. */
async function* neighbours(db: Database, repository: string, digest: ContentDigest): AsyncGenerator<Neighbour[]> {
  const listed = `SELECT p.part AS digest, 0 AS place FROM registry_part p
    JOIN registry_manifest m ON m.repository = p.repository AND m.digest = p.part
    WHERE p.repository = ? AND p.manifest = ? AND (0, p.part) > (?, ?) ORDER BY p.part LIMIT ?`;
  const subject = `SELECT s.digest, 0 AS place FROM registry_manifest m
    JOIN registry_manifest s ON s.repository = m.repository AND s.digest = m.subject
    WHERE m.repository = ? AND m.digest = ? AND (0, s.digest) > (?, ?) LIMIT ?`;
  // In the order of the index that lists them.
  const referrers = `SELECT m.digest, m.to_ms AS place FROM registry_subject s JOIN registry_manifest m ON m.subject_id = s.id
    WHERE s.repository = ? AND s.subject = ? AND (m.to_ms, m.digest) > (?, ?) ORDER BY m.to_ms, m.digest LIMIT ?`;
  for (const [sql, because] of [
    [listed, `listed by ${digest}`],
    [subject, `what ${digest} refers to`],
    [referrers, `refers to ${digest}`],
  ] as const) {
    let last: { readonly place: number; readonly digest: string } = { place: timeless - 1, digest: "" };
    for (;;) {
      const params = [repository, digest, last.place, last.digest, pageLength];
      const rows = await db.query<{ digest: ContentDigest; place: number }>(sql, params);
      if (rows.length > 0) yield rows.map((row) => ({ digest: row.digest, because }));
      if (rows.length < pageLength) break;
      last = rows.at(-1)!;
    }
  }
}

async function empty(db: Database, repository: string): Promise<void> {
  const sql = `DELETE FROM registry_kept WHERE repository = ? AND digest IN
    (SELECT digest FROM registry_kept WHERE repository = ? LIMIT ?)`;
  while ((await inStep(db, (tx) => tx.run(sql, [repository, repository, pageLength * 10]))).changes > 0);
}

/** Working tables need not outlive a power cut. */
export function inStep<T>(db: Database, step: (tx: Database) => Promise<T>): Promise<T> {
  return db.transaction(step, { synced: false });
}
