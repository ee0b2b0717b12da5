import {
  checkpointAlgorithms,
  formatTrust,
  formatVkey,
  type IdentityBody,
  type JsonObject,
  type KeylessIdentity,
  type KeylessName,
  keylessIdOf,
  type NoteKey,
  parseTrust,
  publicIdentityFromPem,
  publicKeyPem,
  type Trust,
  type TrustedIdentity,
  trustFormat,
  utf8,
} from "@tally/evidence";
import { type Database, requireTrustedRoot } from "@tally/oci";
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
  readonly keyless: string | null;
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
  async add({ trustedRoot, ...body }: IdentityBody): Promise<TrustedIdentity | KeylessIdentity> {
    const roots = await this.#roots();
    const name = body.keyless?.trustRoot;
    if (name !== undefined && trustedRoot !== undefined) roots[name] = await readableRoot(name, trustedRoot);
    const wanted = this.#read(body, await this.list(), roots);
    if (name !== undefined && trustedRoot !== undefined) {
      await this.#options.db.run(
        "INSERT INTO trust_root (name, json) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET json = excluded.json",
        [name, JSON.stringify(trustedRoot)],
      );
    }
    await this.#options.db.run(
      "INSERT INTO identity (key_id, name, pem, may, repositories, from_ms, until_ms, keyless) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key_id) DO UPDATE SET name = excluded.name, pem = excluded.pem, may = excluded.may, repositories = excluded.repositories, from_ms = excluded.from_ms, until_ms = excluded.until_ms",
      [
        wanted.keyId,
        wanted.name,
        "keyless" in wanted ? "" : publicKeyPem(wanted.spki),
        JSON.stringify(wanted.may),
        JSON.stringify(wanted.repositories),
        wanted.from ?? null,
        wanted.until ?? null,
        "keyless" in wanted ? JSON.stringify(wanted.keyless) : null,
      ],
    );
    this.#trust = undefined;
    return wanted;
  }

  /** Everyone known, by name. */
  async list(): Promise<readonly IdentityBody[]> {
    const rows = await this.#options.db.query<IdentityRow>(
      "SELECT name, pem, may, repositories, from_ms, until_ms, keyless FROM identity ORDER BY name, key_id",
    );
    return rows.map(({ name, pem, may, repositories, from_ms: from, until_ms: until, keyless }) => ({
      name,
      ...(keyless === null ? { key: pem } : { keyless: JSON.parse(keyless) as KeylessName }),
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
    const trust = parseTrust(this.#file(await this.list(), await this.#roots()));
    this.#trust = trust;
    return trust;
  }

  /** With everyone who is known: a name that could mean somebody else is refused. */
  #read(
    { key, ...body }: IdentityBody,
    others: readonly IdentityBody[],
    roots: Readonly<Record<string, JsonObject>>,
  ): TrustedIdentity | KeylessIdentity {
    try {
      const own = key === undefined ? body : { ...body, key: publicKeyPem(publicIdentityFromPem(key).spki) };
      const alone = parseTrust(this.#file([own], roots));
      const wanted = alone.keyless[0] ?? alone.identities[0]!;
      if ("keyless" in wanted) {
        const keyless = others.filter((other) => other.keyless && keylessIdOf(other.keyless) !== wanted.keyId);
        parseTrust(this.#file([...keyless, own], roots));
      }
      return wanted;
    } catch (cause) {
      throw new PlaneError("bad-request", `this identity cannot be taken: ${(cause as Error).message}`, {
        cause,
        hint: "give a name, a public key in PEM or whom a certificate names, what it may sign, and patterns of repositories",
      });
    }
  }

  async #roots(): Promise<Record<string, JsonObject>> {
    const rows = await this.#options.db.query<{ name: string; json: string }>("SELECT name, json FROM trust_root");
    return Object.fromEntries(rows.map(({ name, json }) => [name, JSON.parse(json) as JsonObject]));
  }

  #file(identities: readonly IdentityBody[], roots: Readonly<Record<string, JsonObject>>): string {
    const { name, keys, policyText } = this.#options;
    const log = keys.log.map(({ key }) => key);
    const fleet = keys.fleet.map(({ key }) => key);
    return JSON.stringify({
      format: trustFormat,
      plane: { name, log: log.map(formatVkey), fleet: fleet.map(formatVkey) },
      policy: policyText,
      requiredAlgorithms: checkpointAlgorithms.filter((algorithm) => log.some((key) => isOf(key, algorithm))),
      identities,
      ...(Object.keys(roots).length > 0 && { trustRoots: roots }),
    });
  }
}

/** @throws PlaneError `bad-request` for what is no sigstore trusted root */
async function readableRoot(name: string, json: JsonObject): Promise<JsonObject> {
  try {
    await requireTrustedRoot(name, json);
    return json;
  } catch (cause) {
    throw new PlaneError("bad-request", (cause as Error).message, {
      cause,
      hint: "give the trusted_root.json of that sigstore",
    });
  }
}

/** C2SP signature types by what signs. */
const types = { ed25519: 1, "p-256": 2, "ml-dsa-44": 6 } as const;

function isOf({ type }: NoteKey, algorithm: (typeof checkpointAlgorithms)[number]): boolean {
  return type === types[algorithm];
}
