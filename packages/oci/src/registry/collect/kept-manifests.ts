import type { ContentDigest } from "../../storage/content-digest.ts";
import type { Database } from "../../storage/database.ts";
import { timeless } from "../referrers.ts";
import { inWords, type Retention } from "../retention.ts";
import { pageLength } from "./decision.ts";
import { inStep } from "./working-tables.ts";

interface Root {
  readonly digest: ContentDigest;
  readonly pushed: number;
  readonly tag: string | null;
  readonly named: string | null;
}

/**
 * Finds which manifests of a repository stay, into `collect_kept`. Those stay that have a tag, that evidence names, that a
 * write-once rule keeps, or that were pushed after `since`; and from each that stays on: what an index lists, what refers to it,
 * and what it refers to.
 */
export async function findKept(db: Database, repository: string, retention: Retention, since: number): Promise<void> {
  await empty(db, repository);
  let seq = 0;
  const keep = async (tx: Database, digest: ContentDigest, because: string): Promise<void> => {
    const sql =
      "INSERT INTO collect_kept (repository, digest, because, seq) VALUES (?, ?, ?, ?) ON CONFLICT (repository, digest) DO NOTHING";
    if ((await tx.run(sql, [repository, digest, because, seq + 1])).changes > 0) seq += 1;
  };

  for (let last = ""; ; ) {
    const rows = await db.query<Root>(
      `SELECT m.digest, m.pushed,
         (SELECT t.tag FROM registry_tag t WHERE t.repository = m.repository AND t.digest = m.digest LIMIT 1) AS tag,
         (SELECT n.because FROM collect_named n WHERE n.digest = m.digest) AS named
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
    const frontier = await db.query<Frontier>(frontierSql, [repository, done, pageLength]);
    const subjects = frontier.flatMap(({ digest, subject }) =>
      subject === null ? [] : [{ digest: subject, because: `what ${digest} refers to` }],
    );
    const add = (page: readonly Neighbour[]) =>
      inStep(db, async (tx) => {
        for (const { digest, because } of page) await keep(tx, digest, because);
      });
    if (subjects.length > 0) await add(subjects);
    for (const { digest, lists, referred } of frontier) {
      if (lists === 1) for await (const page of listedBy(db, repository, digest)) await add(page);
      if (referred === 1) for await (const page of referrersOf(db, repository, digest)) await add(page);
    }
    done = frontier.at(-1)!.seq;
  }
}

/** A manifest that stays, and whether there is more to follow from it: most of a million referrers lead nowhere. */
interface Frontier {
  readonly digest: ContentDigest;
  readonly seq: number;
  /** What it refers to, where that is here and was not found yet. */
  readonly subject: ContentDigest | null;
  /** 1 where it lists manifests that are here. */
  readonly lists: number;
  /** 1 where something refers to it, or did. */
  readonly referred: number;
}

const frontierSql = `SELECT k.digest, k.seq,
    (SELECT s.digest FROM registry_manifest m JOIN registry_manifest s ON s.repository = m.repository AND s.digest = m.subject
      WHERE m.repository = k.repository AND m.digest = k.digest AND NOT EXISTS
        (SELECT 1 FROM collect_kept f WHERE f.repository = s.repository AND f.digest = s.digest)) AS subject,
    CASE WHEN EXISTS (SELECT 1 FROM registry_part p JOIN registry_manifest l ON l.repository = p.repository AND l.digest = p.part
      WHERE p.repository = k.repository AND p.manifest = k.digest) THEN 1 ELSE 0 END AS lists,
    CASE WHEN EXISTS (SELECT 1 FROM registry_subject s WHERE s.repository = k.repository AND s.subject = k.digest)
      THEN 1 ELSE 0 END AS referred
  FROM collect_kept k WHERE k.repository = ? AND k.seq > ? ORDER BY k.seq LIMIT ?`;

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

/** The manifests that an index lists, a page at a time. */
async function* listedBy(db: Database, repository: string, digest: ContentDigest): AsyncGenerator<Neighbour[]> {
  const sql = `SELECT p.part AS digest FROM registry_part p
    JOIN registry_manifest m ON m.repository = p.repository AND m.digest = p.part
    WHERE p.repository = ? AND p.manifest = ? AND p.part > ? ORDER BY p.part LIMIT ?`;
  for (let last = ""; ; ) {
    const rows = await db.query<{ digest: ContentDigest }>(sql, [repository, digest, last, pageLength]);
    yield rows.map((row) => ({ digest: row.digest, because: `listed by ${digest}` }));
    if (rows.length < pageLength) return;
    last = rows.at(-1)!.digest;
  }
}

/** The manifests that refer to one, a page at a time, in the order of the index that lists them. */
async function* referrersOf(db: Database, repository: string, digest: ContentDigest): AsyncGenerator<Neighbour[]> {
  const sql = `SELECT m.digest, m.to_ms AS place FROM registry_subject s JOIN registry_manifest m ON m.subject_id = s.id
    WHERE s.repository = ? AND s.subject = ? AND (m.to_ms, m.digest) > (?, ?) ORDER BY m.to_ms, m.digest LIMIT ?`;
  let last: { readonly place: number; readonly digest: string } = { place: timeless - 1, digest: "" };
  for (;;) {
    const params = [repository, digest, last.place, last.digest, pageLength];
    const rows = await db.query<{ digest: ContentDigest; place: number }>(sql, params);
    yield rows.map((row) => ({ digest: row.digest, because: `refers to ${digest}` }));
    if (rows.length < pageLength) return;
    last = rows.at(-1)!;
  }
}

async function empty(db: Database, repository: string): Promise<void> {
  const sql = `DELETE FROM collect_kept WHERE repository = ? AND digest IN
    (SELECT digest FROM collect_kept WHERE repository = ? LIMIT ?)`;
  while ((await inStep(db, (tx) => tx.run(sql, [repository, repository, pageLength * 10]))).changes > 0);
}
