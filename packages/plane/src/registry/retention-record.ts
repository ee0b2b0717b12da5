import type { IncomingMessage } from "node:http";
import { digestOf, eventCodes, hashFromDigest, type RegistryRefusal, utf8 } from "@tally/evidence";
import type { Clock } from "@tally/ledger";
import type { BlobStore, Database, RetentionRefused, RetentionRule } from "@tally/oci";
import { hashToken, tokenOf } from "../access/tokens.ts";
import type { PlaneLogs } from "../log/plane-logs.ts";
import type { Logger } from "../operation/logger.ts";

const dayMs = 86_400_000;

export interface RetentionRecordOptions {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly logs: PlaneLogs;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Puts on record what write-once rules are and what they refused: an event in the plane's log with the hash of a blob that says
 * which. One and the same attempt, repeated on one day, is one entry and a count, so that trying does not fill the log.
 */
export class RetentionRecord {
  readonly #options: RetentionRecordOptions;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: RetentionRecordOptions) {
    this.#options = options;
  }

  /** A rule was made or lengthened. @returns the index of the entry that says so */
  rule(rule: RetentionRule, authorization: string | undefined): Promise<number> {
    const { pattern, ms } = rule;
    return this.#append("registry-rule", {
      format: "tally-registry-rule/v1",
      pattern,
      ms,
      bearer: bearerOf(authorization),
    });
  }

  refused({ repository, action, tag = "", digest, rule, until, req }: RetentionRefused): Promise<void> {
    const { db, clock, logger } = this.#options;
    const bearer = bearerOf((req as Pick<IncomingMessage, "headers">).headers.authorization);
    const done = this.#last.then(async () => {
      const now = clock.now();
      const key = [repository, action, tag, digest, bearer, Math.floor(now / dayMs)];
      const again =
        "UPDATE registry_refusal SET n = n + 1, last = ? WHERE repository = ? AND action = ? AND tag = ? AND digest = ? AND bearer = ? AND day = ?";
      if ((await db.run(again, [now, ...key])).changes > 0) return;
      const said = { format: "tally-registry-refusal/v1", repository, action, tag, digest, bearer };
      const index = await this.#append("registry-refusal", { ...said, rule: rule.pattern, until });
      const sql =
        "INSERT INTO registry_refusal (repository, action, tag, digest, bearer, day, rule, until, n, first, last, idx) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?)";
      await db.run(sql, [...key, rule.pattern, until, now, now, index]);
      logger.warn({ repository, action, tag, digest, rule: rule.pattern, entry: index }, "a write-once rule refused");
    });
    this.#last = done.catch(() => {});
    return done;
  }

  /** The newest refusals, newest first. */
  list(limit: number): Promise<readonly RegistryRefusal[]> {
    return this.#options.db.query<RegistryRefusal>(
      `SELECT repository, action, tag, digest, bearer, rule, until, n, first, last, idx AS "index"
       FROM registry_refusal ORDER BY last DESC, idx DESC LIMIT ?`,
      [limit],
    );
  }

  async #append(code: keyof typeof eventCodes, said: object): Promise<number> {
    const { blobs, logs } = this.#options;
    const bytes = utf8(JSON.stringify(said));
    const digest = digestOf(bytes);
    await blobs.put(digest, bytes);
    return logs.append("log", {
      kind: "event",
      code: eventCodes[code],
      fields: new Map([[0, hashFromDigest(digest)]]),
    });
  }
}

/** Who asked, without anything that would let in: enough to compare with the hash that the plane keeps. */
function bearerOf(authorization: string | undefined): string {
  return hashToken(tokenOf(authorization) ?? "").slice(0, 16);
}
