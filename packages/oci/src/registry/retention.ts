import { matchesRepository } from "@tally/evidence";
import { OciError } from "../error.ts";
import type { Database } from "../storage/database.ts";

/** Manifests of these repositories, and the tags on them, are written once: neither deleted nor moved before the time is over. */
export interface RetentionRule {
  /** `*` stands for any run of characters. */
  readonly pattern: string;
  /** Milliseconds from a manifest's last push on; null for ever. */
  readonly ms: number | null;
  /** When the rule was made, in milliseconds since 1970: it binds manifests of unknown age from then on. */
  readonly since: number;
}

/** A rule that keeps a manifest, and until when; null for ever. */
export interface Protection {
  readonly rule: RetentionRule;
  readonly until: number | null;
}

/** Write-once rules. They can be added and lengthened; nothing shortens or removes one. */
export class Retention {
  readonly #db: Database;
  readonly #clock: { now(): number };

  constructor(db: Database, clock: { now(): number }) {
    this.#db = db;
    this.#clock = clock;
  }

  list(): Promise<readonly RetentionRule[]> {
    return rulesOf(this.#db);
  }

  /** Makes or lengthens a rule. Throws `refused` for one that would be shorter than it is, `name-invalid`. */
  async set(pattern: string, ms: number | null): Promise<RetentionRule> {
    requirePattern(pattern);
    if (ms !== null && !(Number.isSafeInteger(ms) && ms > 0)) {
      throw new OciError("refused", "a retention time is a positive number of milliseconds, or none for ever");
    }
    return this.#db.transaction(async (tx) => {
      const held = (await rulesOf(tx)).find((rule) => rule.pattern === pattern);
      if (held !== undefined && shorter(ms, held.ms)) {
        throw new OciError("refused", `the rule for ${pattern} holds ${inWords(held.ms)}: it is never shortened`, {
          hint: "give a longer time; a rule that was made stays",
        });
      }
      const since = held?.since ?? this.#clock.now();
      await tx.run(
        "INSERT INTO registry_retention (pattern, ms, since) VALUES (?, ?, ?) ON CONFLICT (pattern) DO UPDATE SET ms = excluded.ms",
        [pattern, ms, since],
      );
      return { pattern, ms, since };
    });
  }

  /** What keeps a manifest of this repository, pushed then; undefined when nothing does any more. */
  async protection(db: Database, repository: string, pushed: number): Promise<Protection | undefined> {
    let longest: Protection | undefined;
    for (const rule of await rulesOf(db)) {
      if (!matchesRepository(rule.pattern, repository)) continue;
      const until = rule.ms === null ? null : Math.max(pushed, pushed === 0 ? rule.since : 0) + rule.ms;
      if (until !== null && until <= this.#clock.now()) continue;
      if (longest === undefined || (longest.until !== null && (until === null || until > longest.until))) {
        longest = { rule, until };
      }
    }
    return longest;
  }
}

/** `for ever`, `for 30 d`. */
export function inWords(ms: number | null): string {
  if (ms === null) return "for ever";
  const [size, unit] = (
    [
      [86_400_000, "d"],
      [3_600_000, "h"],
      [60_000, "m"],
      [1000, "s"],
    ] as const
  ).find(([size]) => ms % size === 0) ?? [1, "ms"];
  return `for ${ms / size} ${unit}`;
}

/** Throws `name-invalid` unless the text could match a repository's name. */
export function requirePattern(pattern: string): void {
  if (pattern.length <= 255 && /^[a-z0-9*][a-z0-9*._/-]*$/.test(pattern)) return;
  throw new OciError("name-invalid", `${JSON.stringify(pattern.slice(0, 160))} is no pattern of repository names`, {
    hint: "write a name in which * stands for any run of characters, such as models/*",
  });
}

function rulesOf(db: Database): Promise<RetentionRule[]> {
  return db.query<RetentionRule>("SELECT pattern, ms, since FROM registry_retention ORDER BY pattern");
}

function shorter(ms: number | null, held: number | null): boolean {
  return ms !== null && (held === null || ms < held);
}
