import type { IncomingMessage } from "node:http";
import { type Digest, isDigest, matchesRepository, type Role } from "@tally/evidence";
import { type Database, isSegment, migrate, partsOf, type RegistryOptions } from "@tally/oci";
import type { DeviceQuota } from "./access/device-quota.ts";
import { hashToken, type Tokens, tokenOf } from "./access/tokens.ts";

type Action = "pull" | "push" | "delete";

/** What each role may do in the registry. Devices push segments, scientists push what they made of them. */
const allowed: Readonly<Record<Role, readonly Action[]>> = {
  admin: ["pull", "push", "delete"],
  publisher: ["pull", "push"],
  approver: ["pull"],
  auditor: ["pull"],
  scientist: ["pull", "push"],
  device: ["pull", "push"],
};

/** Whose pushes are for devices to pull. Scientists push training data, devices push segments: neither is. */
const publishes: readonly Role[] = ["admin", "publisher"];

/** Not Bearer beside it, which is taken as well: clients read that as the place of a token server, as Docker's token protocol has it. */
const challenge = ['Basic realm="tally"'];

export interface RegistryAccessOptions {
  readonly tokens: Tokens;
  readonly db: Database;
  /** Whether the registry holds anything of that digest. */
  readonly present: (repository: string, digest: Digest) => Promise<boolean>;
  /** Publishes what people have pushed past the plane, where it may be published. */
  readonly publishedElsewhere?: (repository: string, digest: Digest) => Promise<boolean>;
  readonly quota: DeviceQuota;
  /** Which manifest has which part: the built-in registry's own table, or what came through to an outside one. */
  readonly parts: "registry_part" | "outside_part";
}

/**
 * Registry access by the plane's tokens: Bearer, or Basic with the token as password.
 *
 * A device is trusted with less than people are. It pulls what was published and what it pushed itself, by no list and no
 * referrer, so that one device never sees what others captured. It pushes into repositories where something was published, never by a tag, so that it
 * moves nothing that people follow.
 */
export function registryAccess(
  options: RegistryAccessOptions,
): Pick<RegistryOptions, "authorize" | "callerOf" | "admits" | "onPush"> {
  const { tokens, db } = options;
  const bearerOf = async ({ headers }: IncomingMessage) => {
    const token = tokenOf(headers.authorization);
    return token === undefined ? undefined : tokens.find(token);
  };
  return {
    async authorize(request, { repository, action }) {
      const bearer = await bearerOf(request);
      if (bearer === undefined) return { status: 401, challenge };
      const mayAct = allowed[bearer.role].includes(action);
      const mayHere = repository === "" || matchesRepository(bearer.repository, repository);
      if (!mayAct || !mayHere) return { status: 403 };
      if (bearer.role !== "device" || repository === "") return undefined;
      const may =
        action === "pull"
          ? await devicePulls(request, repository, bearer.origin!, options)
          : await devicePushes(request, repository, bearer.origin!, options);
      return may ? undefined : { status: 403 };
    },
    async callerOf(request) {
      const token = tokenOf(request.headers.authorization) ?? "";
      // A device is the same one under its next session; of people the plane knows no more than their token.
      return (await tokens.find(token))?.origin ?? hashToken(token);
    },
    async admits({ manifest, req }) {
      // A device says what it has to say in its ledger, and attaches nothing to models but what it captured.
      return (await bearerOf(req))?.role !== "device" || isSegment(manifest);
    },
    async onPush({ repository, digest, manifest, req }) {
      const bearer = await bearerOf(req);
      if (bearer === undefined) return;
      const layers = new Set(partsOf(manifest).map((part) => part.digest));
      // A segment is what some device captured, whoever brings it.
      if (publishes.includes(bearer.role) && !isSegment(manifest)) {
        return publish(db, repository, [digest, ...layers]);
      }
      // Whoever lists manifests in an index has not brought them.
      const contents = manifest.kind === "index" ? [] : [...layers];
      await keepPushed(options, repository, digest, contents, bearer.origin ?? people);
    },
  };
}

/** Lets devices pull these digests of the repository. */
export function publish(db: Database, repository: string, contents: Iterable<string>): Promise<void> {
  return db.transaction(async (tx) => {
    for (const content of contents) {
      const sql = "INSERT INTO published (repository, digest) VALUES (?, ?) ON CONFLICT DO NOTHING";
      await tx.run(sql, [repository, content]);
    }
  });
}

/** Stands for a ledger where people brought what no device is to have. */
const people = "";

/**
 * Remembers who brought content first: it may read it again, and have it erased. What people published is nobody's. To name what
 * manifests of others are made of is not to bring it.
 */
function keepPushed(
  { db, parts }: Pick<RegistryAccessOptions, "db" | "parts">,
  repository: string,
  manifest: string,
  contents: readonly string[],
  origin: string,
): Promise<void> {
  const sql = `INSERT INTO pushed (repository, digest, origin) SELECT ?, ?, ?
    WHERE NOT EXISTS (SELECT 1 FROM published WHERE repository = ? AND digest = ?)`;
  const unlessOthers = `AND NOT EXISTS (SELECT 1 FROM ${parts} o
      LEFT JOIN pushed q ON q.repository = o.repository AND q.digest = o.manifest
      WHERE o.repository = ? AND o.part = ? AND o.manifest <> ? AND (q.origin IS NULL OR q.origin <> ?))`;
  return db.transaction(async (tx) => {
    for (const content of contents) {
      const others = [repository, content, manifest, origin];
      const values = [repository, content, origin, repository, content, ...others];
      await tx.run(`${sql} ${unlessOthers} ON CONFLICT DO NOTHING`, values);
    }
    await tx.run(`${sql} ON CONFLICT DO NOTHING`, [repository, manifest, origin, repository, manifest]);
  });
}

export function createPushedTable(db: Database): Promise<void> {
  return migrate(db, "pushed", [
    // What devices brought into the registry: the manifests of segments, and their parts.
    [
      "CREATE TABLE pushed (repository TEXT NOT NULL, digest TEXT NOT NULL, origin TEXT NOT NULL, PRIMARY KEY (repository, digest))",
    ],
  ]);
}

async function devicePulls(
  request: IncomingMessage,
  repository: string,
  origin: string,
  { db, present, publishedElsewhere }: RegistryAccessOptions,
): Promise<boolean> {
  const name = nameIn(request, /\/(?:blobs|manifests)\/([^/]+)$/);
  if (name === undefined || !isDigest(name)) return false;
  // Whether something is there already is what every push asks first; it takes knowing the digest.
  if (request.method === "HEAD") return true;
  if (request.method !== "GET") return false;
  const sql = `SELECT 1 AS found FROM published WHERE repository = ? AND digest = ?
    UNION ALL SELECT 1 FROM pushed WHERE repository = ? AND digest = ? AND origin = ?`;
  if ((await db.query(sql, [repository, name, repository, name, origin])).length > 0) return true;
  // What is not there is nobody's secret: the registry says so.
  return ((await publishedElsewhere?.(repository, name)) ?? false) || !(await present(repository, name));
}

async function devicePushes(
  request: IncomingMessage,
  repository: string,
  origin: string,
  { db, quota }: RegistryAccessOptions,
): Promise<boolean> {
  const { searchParams } = urlOf(request);
  if (searchParams.has("tag")) return false;
  const manifest = nameIn(request, /\/manifests\/([^/]+)$/);
  if (manifest !== undefined && !isDigest(manifest)) return false;
  const sql = "SELECT 1 AS found FROM published WHERE repository = ? LIMIT 1";
  if ((await db.query(sql, [repository])).length === 0) return false;
  return quota.take(origin, announcedBytes(request));
}

/** What the request says it is going to send. A body of no announced length could be endless. */
function announcedBytes({ headers }: IncomingMessage): number {
  if (headers["transfer-encoding"] !== undefined) return Number.POSITIVE_INFINITY;
  return Number(headers["content-length"] ?? 0);
}

/** The last part of the path, as it was sent: a name in other letters than a digest's is not one. */
function nameIn(request: IncomingMessage, pattern: RegExp): string | undefined {
  return pattern.exec(urlOf(request).pathname)?.[1];
}

function urlOf({ url }: IncomingMessage): URL {
  return new URL(url ?? "", "http://registry.invalid");
}
