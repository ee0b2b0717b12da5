import type { Trust } from "@tally/evidence";
import type { Database } from "@tally/oci";
import { PlaneError } from "../error.ts";

export interface RevokedKeysOptions {
  readonly db: Database;
  /** Milliseconds by which an entry of the plane's log existed, as its checkpoints prove; null where none proves it yet. */
  readonly provenBy: (index: number) => Promise<number | null>;
}

/** People's keys that the fleet log has revoked: what they signed counts only where it is proven older than the compromise. */
export class RevokedKeys {
  readonly #options: RevokedKeysOptions;

  constructor(options: RevokedKeysOptions) {
    this.#options = options;
  }

  /** Milliseconds by which an entry of the plane's log existed; null where no checkpoint proves it yet. */
  provenBy(index: number): Promise<number | null> {
    return this.#options.provenBy(index);
  }

  /** Whether one of these is revoked, as of whatever time. */
  async isAny(keyIds: readonly string[]): Promise<boolean> {
    const rows = await this.#options.db.query<{ key_id: string }>("SELECT key_id FROM revoked_key");
    return rows.some(({ key_id }) => keyIds.includes(key_id));
  }

  /** The trust as it is for a statement of the log, or for one that is new: without the keys that do not count for it. */
  async trustFor(trust: Trust, index: number | undefined): Promise<Trust> {
    const rows = await this.#options.db.query<{ key_id: string; compromise_time: number | null }>(
      "SELECT key_id, compromise_time FROM revoked_key",
    );
    if (rows.length === 0) return trust;
    const at = index === undefined ? null : await this.#options.provenBy(index);
    const gone = new Set(
      rows
        .filter(({ compromise_time: since }) => since === null || at === null || at >= since)
        .map(({ key_id }) => key_id),
    );
    const standing = ({ keyId }: { readonly keyId: string }) => !gone.has(keyId);
    return { ...trust, identities: trust.identities.filter(standing), keyless: trust.keyless.filter(standing) };
  }

  /** @throws PlaneError `forbidden` where every known key that signed a new statement is revoked */
  async requireOne(trust: Trust, keyIds: readonly string[]): Promise<Trust> {
    const standing = await this.trustFor(trust, undefined);
    const some = [...standing.identities, ...standing.keyless].some(({ keyId }) => keyIds.includes(keyId));
    if (some) return standing;
    throw new PlaneError("forbidden", `key ${keyIds.join(", ")} is revoked: it signs nothing new`, {
      hint: "sign with another key; an administrator adds it to the identities",
    });
  }
}
