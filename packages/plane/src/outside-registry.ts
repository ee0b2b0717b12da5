import type { IncomingMessage } from "node:http";
import type { Digest } from "@tally/evidence";
import {
  createOutsideRegistry,
  type Database,
  migrate,
  OciError,
  type OutsideRegistry,
  type OutsideRegistryOptions,
  partsOf,
  type RegistryOptions,
} from "@tally/oci";
import { PlaneError } from "./error.ts";
import { publish, type RegistryAccessOptions, registryAccess } from "./registry-access.ts";

/** Where models and segments lie instead of the built-in registry, and what it takes to get there. */
export interface OutsideRegistrySettings
  extends Pick<OutsideRegistryOptions, "url" | "credentials" | "realms" | "insecureHttp" | "timeout"> {}

export interface OutsideParts extends Omit<RegistryAccessOptions, "present" | "parts"> {
  readonly settings: OutsideRegistrySettings;
  /** Whether the plane's log has a model statement that this manifest is a model of this repository. */
  readonly isModel: (manifest: Digest, repository: string) => Promise<boolean>;
  readonly onError: (error: unknown, request: IncomingMessage) => void;
}

/**
 * The plane's registry where it is an outside one: access is decided here, as it is for the built-in one. People may also push
 * to the registry itself, which the plane does not see; a device then pulls what a model statement in the plane's log names.
 */
export function planeOutsideRegistry(parts: OutsideParts): OutsideRegistry {
  const { settings, db, isModel, onError } = parts;
  const access = registryAccess({
    ...parts,
    parts: "outside_part",
    present: (repository, digest) => registry.has(repository, digest),
    publishedElsewhere: async (repository, digest) => {
      if (!(await isModel(digest, repository))) return false;
      const { manifest } = await registry.repository(repository).manifest(digest);
      await publish(db, repository, [digest, ...partsOf(manifest).map((part) => part.digest)]);
      return true;
    },
  });
  const onPush: NonNullable<RegistryOptions["onPush"]> = async (event) => {
    const { repository, digest, manifest } = event;
    await db.transaction(async (tx) => {
      for (const part of new Set(partsOf(manifest).map((each) => each.digest))) {
        const sql = "INSERT INTO outside_part (repository, part, manifest) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
        await tx.run(sql, [repository, part, digest]);
      }
    });
    await access.onPush?.(event);
  };
  const registry = configured(() => createOutsideRegistry({ ...settings, ...access, onPush, onError }));
  return registry;
}

export function createOutsideTables(db: Database): Promise<void> {
  return migrate(db, "outside", [
    [
      // What manifests that came through the plane are made of: who brought which layer decides who may have it erased.
      `CREATE TABLE outside_part (
        repository TEXT NOT NULL, part TEXT NOT NULL, manifest TEXT NOT NULL,
        PRIMARY KEY (repository, part, manifest))`,
      "CREATE TABLE outside_registry (url TEXT NOT NULL PRIMARY KEY)",
    ],
  ]);
}

/**
 * A folder whose artifacts lie in an outside registry is not started without it: devices would be told that models are gone.
 *
 * @returns the URL that was used before, where it was another
 * @throws PlaneError `configuration`
 */
export async function keepRegistryUrl(
  db: Database,
  url: string | undefined,
  builtIn: boolean,
): Promise<string | undefined> {
  const [known] = await db.query<{ url: string }>("SELECT url FROM outside_registry");
  if (url === undefined && known !== undefined && !builtIn) {
    throw new PlaneError("configuration", `this plane's artifacts lie in the registry ${known.url}`, {
      hint: `add --registry ${known.url}, or --registry built-in to go back to the plane's own`,
    });
  }
  if (known?.url === url) return undefined;
  await db.transaction(async (tx) => {
    await tx.run("DELETE FROM outside_registry");
    if (url !== undefined) await tx.run("INSERT INTO outside_registry (url) VALUES (?)", [url]);
  });
  return known?.url;
}

function configured<T>(make: () => T): T {
  try {
    return make();
  } catch (cause) {
    if (!(cause instanceof OciError)) throw cause;
    throw new PlaneError("configuration", cause.message, { cause, ...(cause.hint && { hint: cause.hint }) });
  }
}
