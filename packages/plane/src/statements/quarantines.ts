import {
  type Digest,
  foldQuarantines,
  type LoggedWord,
  matchesRepository,
  parseEnvelope,
  parseQuarantine,
  type QuarantineItem,
  quarantineType,
  type Trust,
  type TrustedIdentity,
  whyNotThen,
} from "@tally/evidence";
import type { Identities } from "./identities.ts";
import type { RevokedKeys } from "./revoked-keys.ts";
import { knownSigners } from "./signers.ts";
import type { Statements } from "./statements.ts";

export interface QuarantinesOptions {
  readonly statements: Pick<Statements, "list" | "envelope">;
  readonly identities: Identities;
  readonly revoked?: RevokedKeys;
}

interface Word extends LoggedWord {
  readonly index: number;
  /** Whose keys count for it, of those who may. */
  readonly by: readonly TrustedIdentity[];
}

/** What is under quarantine, as the plane has it: the signed statements of its log, by the keys that count for each. */
export class Quarantines {
  readonly #options: QuarantinesOptions;

  constructor(options: QuarantinesOptions) {
    this.#options = options;
  }

  /**
   * Every quarantine by someone who may, in the log's order, those that were lifted too.
   *
   * @param subject only those with this subject
   */
  async list(subject?: Digest): Promise<readonly QuarantineItem[]> {
    const { statements } = this.#options;
    const items = await statements.list({ type: quarantineType, ...(subject && { subject }) });
    const trust = await this.#options.identities.trust();
    const words = await Promise.all(items.map(({ digest, index }) => this.#read(digest, index, trust)));
    const counting = words.filter(({ by }) => by.length > 0);
    const states = new Map(foldQuarantines(counting).map((state) => [state.from.statement, state]));
    return [...states.values()].map(({ from, what }) => {
      const patterns = [...new Set(from.by.flatMap(({ repositories }) => repositories))];
      const lifts = counting.filter(({ word }) => word.decision === "lift" && word.lifts === from.statement);
      const lifted = (pattern: string) =>
        lifts.find(({ by }) =>
          by.some(({ repositories }) => repositories.some((own) => matchesRepository(own, pattern))),
        );
      const standing = patterns.filter((pattern) => lifted(pattern) === undefined);
      const end = standing.length > 0 ? undefined : lifted(patterns[0]!);
      return {
        ...said(from),
        what,
        at: from.word.at,
        repositories: standing,
        lifted: end === undefined ? null : said(end),
      };
    });
  }

  async #read(statement: Digest, index: number, trust: Trust): Promise<Word> {
    const { statements, revoked } = this.#options;
    const envelope = parseEnvelope(await statements.envelope(statement));
    const standing = (await revoked?.trustFor(trust, index)) ?? trust;
    const atMs = (await revoked?.provenBy(index)) ?? undefined;
    const by = (await knownSigners(envelope, standing)).filter(
      (identity) =>
        identity.may.includes("quarantine") && whyNotThen(identity, atMs === undefined ? {} : { atMs }) === undefined,
    );
    return { statement, index, word: parseQuarantine(envelope.statement), by };
  }
}

function said({ statement, index, word, by }: Word) {
  return { statement, index, reason: word.reason, by: [...new Set(by.map(({ name }) => name))] };
}
