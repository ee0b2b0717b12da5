import type { ContentDigest } from "../../storage/content-digest.ts";
import type { Database } from "../../storage/database.ts";
import { dropManifest, isPart } from "../contents.ts";
import { type Decision, pageLength } from "./decision.ts";
import { findKept } from "./kept-manifests.ts";
import type { Round } from "./round.ts";
import { inStep } from "./working-tables.ts";

/** Pushes that keep coming in between end a collection's try at a repository's manifests after so many times. */
const mostTries = 5;

interface Row {
  readonly digest: ContentDigest;
  readonly size: number;
  readonly because: string | null;
}

const nothingNeedsIt = "no tag, no manifest that stays and no evidence leads to it";

/** Says why each manifest stays where untagged ones do anyway. */
export async function* explainManifests(round: Round, repository: string): AsyncGenerator<Decision> {
  await findKept(round.db, repository, round.retention, round.since);
  for await (const { digest, size, because } of manifests(round.db, repository)) {
    const why = because ?? "untagged manifests stay unless they are asked for";
    yield { action: "keep", what: "manifest", repository, digest, size, because: why };
  }
}

/**
 * Removes the manifests of a repository that nothing leads to. What is added to the repository meanwhile may lead to one of them,
 * so then all is found anew.
 */
export async function* collectManifests(round: Round, repository: string): AsyncGenerator<Decision> {
  const { db, retention, since, explain } = round;
  let settled = false;
  for (let tries = 0; !settled && tries < mostTries; tries += 1) {
    const seen = round.turns.additions(repository);
    await findKept(db, repository, retention, since);
    settled = true;
    // An index goes before what it lists, so that no index of which a part is gone outlives a stop in between.
    for (let some = true; some && settled; ) {
      some = false;
      for await (const page of pages(db, repository)) {
        const gone = await remove(round, repository, page, seen);
        settled = gone !== undefined;
        if (gone === undefined) break;
        some ||= gone.length > 0 && !round.dryRun;
        yield* gone.map((row) => decision("remove", repository, row));
      }
    }
  }
  if (settled && !explain) return;
  for await (const row of manifests(db, repository)) {
    if (row.because !== null) yield decision("keep", repository, row);
    else if (!settled) yield { ...decision("keep", repository, row), because: "pushes kept coming in between" };
  }
}

/** Those that went; undefined when something was added to the repository, or came to be named, since they were found. */
function remove(
  { db, turns, reader, dryRun, readNames }: Round,
  repository: string,
  page: readonly Row[],
  seen: number,
): Promise<readonly Row[] | undefined> {
  return reader.alone(async () => {
    await readNames(page.map(({ digest }) => digest));
    const step = async (tx: Database): Promise<readonly Row[] | undefined> => {
      if (turns.additions(repository) !== seen) return undefined;
      for (const { digest } of page) {
        const sql = "SELECT 1 AS found FROM collect_named WHERE digest = ?";
        if ((await tx.query(sql, [digest])).length > 0) return undefined;
      }
      const gone: Row[] = [];
      for (const row of page) {
        if (dryRun) {
          const going =
            "INSERT INTO collect_going (repository, digest, what) VALUES (?, ?, 'manifest') ON CONFLICT DO NOTHING";
          await tx.run(going, [repository, row.digest]);
        } else if (await isPart(tx, repository, row.digest)) continue;
        else await dropManifest(tx, repository, row.digest);
        gone.push(row);
      }
      return gone;
    };
    return dryRun ? inStep(db, step) : db.transaction(step);
  });
}

/** Those that nothing leads to. */
async function* pages(db: Database, repository: string): AsyncGenerator<Row[]> {
  let page: Row[] = [];
  for await (const row of manifests(db, repository)) {
    if (row.because !== null) continue;
    page.push(row);
    if (page.length < pageLength) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

/** Every manifest of the repository, with the reason why it stays. */
async function* manifests(db: Database, repository: string): AsyncGenerator<Row> {
  const sql = `SELECT m.digest, m.size, k.because FROM registry_manifest m
    LEFT JOIN collect_kept k ON k.repository = m.repository AND k.digest = m.digest
    WHERE m.repository = ? AND m.digest > ? ORDER BY m.digest LIMIT ?`;
  for (let last = ""; ; ) {
    const rows = await db.query<Row>(sql, [repository, last, pageLength]);
    yield* rows;
    if (rows.length < pageLength) return;
    last = rows.at(-1)!.digest;
  }
}

function decision(action: "keep" | "remove", repository: string, { digest, size, because }: Row): Decision {
  return { action, what: "manifest", repository, digest, size, because: because ?? nothingNeedsIt };
}
