import type { Role, TokenItem } from "@tally/evidence";
import type { Clock } from "@tally/ledger";
import type { Database } from "@tally/oci";
import { newTokenText, tokenHash } from "./token-text.ts";

/** Who a token's bearer is to the plane. */
export interface Access {
  readonly role: Role;
  /** A pattern of repositories, `*` for any run of characters. */
  readonly repository: string;
  /** The ledger whose device this is, for role `device`. */
  readonly origin: string | null;
}

export interface NewToken extends Partial<Omit<Access, "role">> {
  readonly role: Role;
  /** Milliseconds that it holds. */
  readonly lifetime: number;
  readonly note?: string | undefined;
}

/** Tokens as the plane keeps them: by their hash, never themselves. */
export class Tokens {
  readonly #db: Database;
  readonly #clock: Clock;

  constructor(db: Database, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Makes a token; its text is in the answer and nowhere else. */
  async issue({ role, repository = "*", origin = null, lifetime, note }: NewToken) {
    const token = newTokenText();
    const created = this.#clock.now();
    const expires = created + lifetime;
    await this.#db.run("DELETE FROM token WHERE expires <= ?", [created]);
    const sql =
      "INSERT INTO token (hash, role, repository, origin, note, created, expires) VALUES (?, ?, ?, ?, ?, ?, ?)";
    await this.#db.run(sql, [tokenHash(token), role, repository, origin, note ?? null, created, expires]);
    return { token, expires };
  }

  /** Whose token this is; undefined when it is unknown or has expired. */
  async find(token: string): Promise<Access | undefined> {
    const sql = "SELECT role, repository, origin FROM token WHERE hash = ? AND expires > ?";
    const [row] = await this.#db.query<{ role: Role; repository: string; origin: string | null }>(sql, [
      tokenHash(token),
      this.#clock.now(),
    ]);
    return row && Object.freeze(row);
  }

  /** Those that hold, oldest first; device sessions are left out. */
  async list(): Promise<TokenItem[]> {
    const sql =
      "SELECT role, repository, note, created, expires FROM token WHERE expires > ? AND role <> 'device' ORDER BY created";
    const rows = await this.#db.query<TokenItem & { repository: string; note: string | null }>(sql, [
      this.#clock.now(),
    ]);
    return rows.map(({ note, ...row }) => ({ ...row, ...(note === null ? {} : { note }) }));
  }
}
