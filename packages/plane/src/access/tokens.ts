import { createHash, randomBytes } from "node:crypto";
import type { Role } from "@tally/evidence";
import type { Clock } from "@tally/ledger";
import type { Database } from "@tally/oci";

/** Who is asking, as a token says. */
export interface Bearer {
  readonly role: Role;
  /** A pattern of repositories; `*` is any run of characters. */
  readonly repository: string;
  /** Of a device's session: its ledger. */
  readonly origin: string | null;
  /** A device whose ledger is closed, or cannot be reconciled: what it offers is looked at, and nothing is taken. */
  readonly judged?: true;
}

interface TokenRow {
  readonly role: Role;
  readonly repository: string;
  readonly origin: string | null;
  readonly expires: number;
  readonly state: string | null;
}

/** Sessions that one device has at a time. */
const sessionsKept = 16;

/** Access tokens: opaque, stored only as hashes. They grant access and never trust. */
export class Tokens {
  readonly #db: Database;
  readonly #clock: Clock;

  constructor(db: Database, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  async create(bearer: Bearer, lifetimeMs: number, note?: string): Promise<{ token: string; expires: number }> {
    const token = newToken();
    const expires = this.#clock.now() + lifetimeMs;
    if (bearer.origin !== null) await this.#makeRoom(bearer.origin);
    await this.#db.run("INSERT INTO token (hash, role, repository, origin, expires, note) VALUES (?, ?, ?, ?, ?, ?)", [
      hashToken(token),
      bearer.role,
      bearer.repository,
      bearer.origin,
      expires,
      note ?? null,
    ]);
    return { token, expires };
  }

  /**
   * The bearer of a token that holds; undefined for any other text. A device's standing is asked anew each time: a session that
   * was being opened while the device was blocked, or that outlived a crash in between, opens nothing.
   */
  async find(token: string): Promise<Bearer | undefined> {
    const [row] = await this.#db.query<TokenRow>(
      `SELECT role, repository, token.origin AS origin, expires, state FROM token
       LEFT JOIN device ON device.origin = token.origin WHERE hash = ?
       AND (token.origin IS NULL OR device.state IN ('enrolled', 'ok', 'diverged', 'superseded'))`,
      [hashToken(token)],
    );
    if (row === undefined || row.expires <= this.#clock.now()) return undefined;
    const { role, repository, origin, state } = row;
    const judged = state === "diverged" || state === "superseded";
    return { role, repository, origin, ...(judged && { judged }) };
  }

  /** Ends every session of a device. */
  async endSessions(origin: string): Promise<void> {
    await this.#db.run("DELETE FROM token WHERE origin = ?", [origin]);
  }

  /** A device that opens session after session keeps its newest few; what has expired goes with them. */
  async #makeRoom(origin: string): Promise<void> {
    await this.#db.run(
      `DELETE FROM token WHERE origin = ? AND (expires <= ? OR hash NOT IN
       (SELECT hash FROM token WHERE origin = ? ORDER BY expires DESC, hash LIMIT ?))`,
      [origin, this.#clock.now(), origin, sessionsKept - 1],
    );
  }
}

export function newToken(): string {
  return `tly_${randomBytes(32).toString("base64url")}`;
}

// Tokens carry 256 random bits, so a plain hash of one cannot be guessed back.
export function hashToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** The token of a request: Bearer, or the password of Basic, which is how OCI clients send one. */
export function tokenOf(authorization: string | undefined): string | undefined {
  const [scheme = "", credentials = ""] = (authorization ?? "").split(" ", 2);
  if (/^bearer$/i.test(scheme)) return credentials;
  if (!/^basic$/i.test(scheme)) return undefined;
  const text = Buffer.from(credentials, "base64").toString("utf8");
  return text.includes(":") ? text.slice(text.indexOf(":") + 1) : undefined;
}
