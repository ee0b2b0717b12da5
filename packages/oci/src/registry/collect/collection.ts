import { OciError } from "../../error.ts";
import type { Database } from "../../storage/database.ts";
import { type CollectOptions, type Decision, defaultGraceMs, pageLength } from "./decision.ts";
import { type Named, noEvidence } from "./evidence.ts";
import type { CollectionOptions, Round } from "./round.ts";
import { collectBytes } from "./unheld-bytes.ts";
import { collectBlobs } from "./unnamed-blobs.ts";
import { collectManifests, explainManifests } from "./untagged-manifests.ts";
import { dropWorkingTables, inStep, workingTables } from "./working-tables.ts";

/**
 * Garbage collection of a registry (mark and sweep), while it serves. In each repository first manifests go, if that is asked for,
 * then blobs that no manifest names, and last stored bytes that no repository holds. Each removal looks again, in one step of the
 * database, whether it may be: a push that came meanwhile wins. A stop anywhere leaves at most bytes that nobody holds, which
 * the next collection removes.
 */
export class Collection {
  readonly #options: CollectionOptions;
  #running = false;

  constructor(options: CollectionOptions) {
    this.#options = options;
  }

  async *run({ dryRun = false, untagged = false, graceMs = defaultGraceMs, explain = true }: CollectOptions = {}) {
    if (this.#running) {
      throw new OciError("busy", "a collection of this registry is under way", { hint: "wait until it has ended" });
    }
    this.#running = true;
    try {
      yield* this.#collect(untagged, { dryRun, explain, since: this.#options.clock.now() - graceMs });
    } finally {
      this.#running = false;
    }
  }

  async *#collect(
    untagged: boolean,
    asked: Pick<Round, "dryRun" | "explain" | "since">,
  ): AsyncGenerator<Decision, void> {
    const { db, uploads, evidence = noEvidence } = this.#options;
    const reader = evidence.read();
    const round: Round = {
      ...this.#options,
      ...asked,
      reader,
      readNames: (digests) => noteNames(db, reader.since(digests)),
    };
    await dropWorkingTables(db);
    try {
      for (const sql of workingTables) await db.run(sql);
      if (!asked.dryRun) await uploads.expire();
      await noteNames(db, reader.all());
      for await (const repository of repositories(db)) {
        if (untagged) yield* collectManifests(round, repository);
        else if (asked.explain) yield* explainManifests(round, repository);
        yield* collectBlobs(round, repository);
      }
      yield* collectBytes(round);
    } finally {
      await dropWorkingTables(db);
    }
  }
}

async function noteNames(db: Database, names: AsyncIterable<Named>): Promise<void> {
  const note = (page: readonly { digest: string; because: string }[]) =>
    inStep(db, async (tx) => {
      for (const { digest, because } of page) {
        const sql = "INSERT INTO collect_named (digest, because) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING";
        await tx.run(sql, [digest, because]);
      }
    });
  let page: { digest: string; because: string }[] = [];
  for await (const named of names) {
    page.push(named);
    if (page.length < pageLength) continue;
    await note(page);
    page = [];
  }
  if (page.length > 0) await note(page);
}

async function* repositories(db: Database): AsyncGenerator<string> {
  const sql = `SELECT MIN(repository) AS repository FROM (
    SELECT MIN(repository) AS repository FROM registry_manifest WHERE repository > ?
    UNION ALL SELECT MIN(repository) FROM registry_blob WHERE repository > ?)`;
  for (let last = ""; ; ) {
    const [row] = await db.query<{ repository: string | null }>(sql, [last, last]);
    if (row === undefined || row.repository === null) return;
    yield row.repository;
    last = row.repository;
  }
}
