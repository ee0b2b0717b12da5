import type { EnrolmentTokenRequest } from "@tally/evidence";
import type { Clock } from "@tally/ledger";
import type { Database } from "@tally/oci";
import { PlaneError } from "../error.ts";
import { newTokenText, tokenHash } from "./token-text.ts";

const day = 24 * 3600;

/** What people call the device that a token is for. */
export interface DeviceLabels {
  readonly name: string | null;
  readonly group: string | null;
}

/** Tokens that admit one device each, once. */
export class EnrolmentTokens {
  readonly #db: Database;
  readonly #clock: Clock;

  constructor(db: Database, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  async issue({ name, group, expiresIn = 7 * day }: EnrolmentTokenRequest) {
    const token = newTokenText();
    const expires = this.#clock.now() + expiresIn * 1000;
    const sql = "INSERT INTO enrolment_token (hash, name, device_group, expires) VALUES (?, ?, ?, ?)";
    await this.#db.run(sql, [tokenHash(token), name ?? null, group ?? null, expires]);
    return { token, expires };
  }

  /** Whether the token holds and nobody has used it yet. */
  async isOpen(token: string): Promise<boolean> {
    const sql = "SELECT hash FROM enrolment_token WHERE hash = ? AND expires > ? AND genesis IS NULL";
    return (await this.#db.query(sql, [tokenHash(token), this.#clock.now()])).length > 0;
  }

  /**
   * Uses the token up for this genesis entry, in one step: of two devices one gets it. The device that has used it may use it
   * again for the same entry, so that an answer that was lost can be asked for again.
   *
   * @throws PlaneError `unauthorized`
   */
  async consume(token: string, genesis: string, db: Database): Promise<DeviceLabels> {
    const hash = tokenHash(token);
    await db.run("UPDATE enrolment_token SET genesis = ? WHERE hash = ? AND genesis IS NULL AND expires > ?", [
      genesis,
      hash,
      this.#clock.now(),
    ]);
    const sql = 'SELECT name, device_group AS "group" FROM enrolment_token WHERE hash = ? AND genesis = ?';
    const [labels] = await db.query<{ name: string | null; group: string | null }>(sql, [hash, genesis]);
    if (labels !== undefined) return labels;
    throw new PlaneError("unauthorized", "the enrolment token does not hold: it is unknown, expired or used", {
      hint: "an administrator makes another one: POST /api/v1/enrolment-tokens",
    });
  }
}
