import {
  checkpointAlgorithms,
  formatTrust,
  formatVkey,
  type IdentityBody,
  type NoteKey,
  parseTrust,
  publicIdentityFromPem,
  publicKeyPem,
  type Trust,
  type TrustedIdentity,
  trustFormat,
  utf8,
} from "@tally/evidence";
import type { Database } from "@tally/oci";
import { PlaneError } from "../error.ts";
import type { PlaneKeys } from "../keys/plane-keys.ts";

export interface IdentitiesOptions {
  readonly db: Database;
  /** The plane's name. */
  readonly name: string;
  /** What the plane's two logs are signed with. */
  readonly keys: Pick<PlaneKeys, "log" | "fleet">;
  /** The witness policy as it was written: C2SP tlog-policy. */
  readonly policyText: string;
}

interface IdentityRow {
  readonly name: string;
  readonly pem: string;
  readonly may: string;
  readonly repositories: string;
  readonly from_ms: number | null;
  readonly until_ms: number | null;
}

/** Whose statements the plane takes, and the trust file that follows from it. */
export class Identities {
  readonly #options: IdentitiesOptions;
  #trust: Trust | undefined;

  constructor(options: IdentitiesOptions) {
    this.#options = options;
  }

  /**
   * Says what a key may sign from now on. A key that is already known is replaced, name and rights; with an empty `may`
   * it stays known and may do nothing.
   *
   * @throws PlaneError `bad-request` naming the field that a trust file would not take
   */
  async add(body: IdentityBody): Promise<TrustedIdentity> {
    const wanted = this.#read(body);
    await this.#options.db.run(
      "INSERT INTO identity (key_id, name, pem, may, repositories, from_ms, until_ms) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key_id) DO UPDATE SET name = excluded.name, pem = excluded.pem, may = excluded.may, repositories = excluded.repositories, from_ms = excluded.from_ms, until_ms = excluded.until_ms",
      [
        wanted.keyId,
        wanted.name,
        publicKeyPem(wanted.spki),
        JSON.stringify(wanted.may),
        JSON.stringify(wanted.repositories),
        wanted.from ?? null,
        wanted.until ?? null,
      ],
    );
    this.#trust = undefined;
    return wanted;
  }

  /** Everyone known, by name. */
  async list(): Promise<readonly IdentityBody[]> {
    const rows = await this.#options.db.query<IdentityRow>(
      "SELECT name, pem, may, repositories, from_ms, until_ms FROM identity ORDER BY name, key_id",
    );
    return rows.map(({ name, pem, may, repositories, from_ms: from, until_ms: until }) => ({
      name,
      key: pem,
      may: JSON.parse(may) as string[],
      repositories: JSON.parse(repositories) as string[],
      ...(from !== null && { from }),
      ...(until !== null && { until }),
    }));
  }

  /** The plane's own trust file (`tally-trust/v1`): its keys, its witness policy, and these identities. */
  async trustFile(): Promise<Uint8Array> {
    return utf8(formatTrust(await this.trust()));
  }

  /** What the plane itself decides by. */
  async trust(): Promise<Trust> {
    if (this.#trust !== undefined) return this.#trust;
    const trust = parseTrust(this.#file(await this.list()));
    this.#trust = trust;
    return trust;
  }

  #read({ key, ...body }: IdentityBody): TrustedIdentity {
    try {
      const { spki } = publicIdentityFromPem(key);
      const trust = parseTrust(this.#file([{ ...body, key: publicKeyPem(spki) }]));
      return trust.identities[0]!;
    } catch (cause) {
      throw new PlaneError("bad-request", `this identity cannot be taken: ${(cause as Error).message}`, {
        cause,
        hint: "give a name, a public key in PEM, what it may sign, and patterns of repositories",
      });
    }
  }

  #file(identities: readonly IdentityBody[]): string {
    const { name, keys, policyText } = this.#options;
    const log = keys.log.map(({ key }) => key);
    const fleet = keys.fleet.map(({ key }) => key);
    return JSON.stringify({
      format: trustFormat,
      plane: { name, log: log.map(formatVkey), fleet: fleet.map(formatVkey) },
      policy: policyText,
      requiredAlgorithms: checkpointAlgorithms.filter((algorithm) => log.some((key) => isOf(key, algorithm))),
      identities,
    });
  }
}

/** C2SP signature types by what signs. */
const types = { ed25519: 1, "p-256": 2, "ml-dsa-44": 6 } as const;

function isOf({ type }: NoteKey, algorithm: (typeof checkpointAlgorithms)[number]): boolean {
  return type === types[algorithm];
}
