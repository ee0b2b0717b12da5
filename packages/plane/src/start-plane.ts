import { chmod, mkdir, readdir, readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type Digest, parsePolicy, utf8 } from "@tally/evidence";
import { type Clock, Mirror, nodeFiles, systemClock, writeDurably } from "@tally/ledger";
import { createRegistry, FileBlobStore, openSqlite } from "@tally/oci";
import type { FastifyInstance } from "fastify";
import { DeviceBlobs } from "./access/device-blobs.ts";
import { DeviceQuota } from "./access/device-quota.ts";
import { Sessions } from "./access/sessions.ts";
import { Tokens } from "./access/tokens.ts";
import { AnswerSpool } from "./audit/index.ts";
import { PlaneSource } from "./audit/plane-source.ts";
import { PlaneError } from "./error.ts";
import { Decisions } from "./fleet/decisions.ts";
import { EntryRequests } from "./fleet/entry-requests.ts";
import { Fleet } from "./fleet/fleet.ts";
import { createFleetTables } from "./fleet/tables.ts";
import { type RequestLimitOptions, RequestLimits } from "./http/request-limits.ts";
import { createServer } from "./http/server.ts";
import { fleetOrigin, logOrigin, openPlaneKeys } from "./keys/plane-keys.ts";
import { Checkpoints } from "./log/checkpoints.ts";
import { HeadsStore } from "./log/heads-store.ts";
import { PlaneLogs } from "./log/plane-logs.ts";
import { RestoredGate } from "./log/restored-gate.ts";
import { Sealer } from "./log/sealer.ts";
import { Sightings } from "./log/sightings.ts";
import { WitnessEvidence } from "./log/witness-evidence.ts";
import { WitnessPolicies } from "./log/witness-policies.ts";
import { Witnesses } from "./log/witnesses.ts";
import { EntryIndex } from "./mirror/entry-index.ts";
import { createLogger, type Logger, silent } from "./operation/logger.ts";
import { Metrics } from "./operation/metrics.ts";
import { createOperationTables } from "./operation/tables.ts";
import {
  createOutsideTables,
  keepRegistryUrl,
  type OutsideRegistrySettings,
  planeOutsideRegistry,
} from "./outside-registry.ts";
import type { PlaneParts } from "./parts.ts";
import { Collections } from "./registry/collections.ts";
import { evidenceNames } from "./registry/evidence-names.ts";
import { RetentionRecord } from "./registry/retention-record.ts";
import { createPushedTable, registryAccess } from "./registry-access.ts";
import {
  Channels,
  DeviceErasures,
  Identities,
  Lineage,
  RevokedKeys,
  Rotations,
  Statements,
} from "./statements/index.ts";
import { repositoriesOf } from "./statements/model-statements.ts";
import { derivedTablesMissing, emptyDerivedTables } from "./store/derived-tables.ts";
import { layeredBlobs } from "./store/layered-blobs.ts";
import { createTables } from "./store/schema.ts";

export interface PlaneOptions {
  /** Folder of this plane alone; created when absent. */
  readonly dir: string;
  /** What the plane is called in its origins: a schema-less URL, such as `tally.example/hospital`. Fixed at the first start. */
  readonly name: string;
  /** Default 127.0.0.1. Anything but loopback needs TLS, or `insecureHttp`. */
  readonly host?: string;
  /** Default 0: a free port. */
  readonly port?: number;
  /** Listens at this path alone, in place of host and port: for a program of this machine that needs no network. */
  readonly socket?: string;
  /** C2SP tlog-policy text: `witness` lines with URLs, `quorum`. Default `quorum none`: times are then the plane's word. */
  readonly witnessPolicy?: string;
  /** An outside registry in the place of the built-in one; "built-in" to go back from one. */
  readonly registry?: OutsideRegistrySettings | "built-in";
  /** Policy names of witnesses known to lie or gone for good: not asked, and not counted on either side. Logged at each start. */
  readonly insecureIgnoreWitnesses?: readonly string[];
  /** Goes on without the witnesses that the folder was last used with. What they know that this folder does not is then forked. */
  readonly insecureNoWitnesses?: boolean;
  /** After a restore without witnesses: signs before every device has shown what it holds. */
  readonly insecureSignWithoutDevices?: boolean;
  /** Needed once, for a new folder with witnesses: an empty folder could also be a lost one. */
  readonly init?: boolean;
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
  readonly insecureHttp?: boolean;
  /** Milliseconds between seals; default 1000. */
  readonly sealIntervalMs?: number;
  /** Milliseconds in which a request's body has to be there; default 30,000. */
  readonly bodyTimeoutMs?: number;
  /** Milliseconds in which a request's headers have to be there; default 15,000. */
  readonly headersTimeoutMs?: number;
  /** Rate of one caller, and requests at a time. */
  readonly requests?: RequestLimitOptions;
  /** Milliseconds that requests under way are given at the end; default 30,000. */
  readonly shutdownMs?: number;
  /** Open connections at a time; default 10,000. */
  readonly maxConnections?: number;
  /** Bytes that one device may store in a day as blobs and segments, beside its ledger; default 16 GiB. */
  readonly deviceBytesPerDay?: number;
  /** Where structured logs go; default nowhere. */
  readonly logger?: Logger;
  /** Makes the page of `GET /verify`, when somebody first asks and the folder holds no `verify.html`. */
  readonly verifyPage?: () => Promise<Uint8Array>;
  /** Structured logs on stdout. */
  readonly log?: boolean;
  readonly clock?: Clock;
}

export interface Plane {
  /** `http://127.0.0.1:4711`, without a slash at the end. */
  readonly url: string;
  /** The file with the first administrator's token. */
  readonly adminTokenPath: string;
  readonly parts: PlaneParts;
  /** Finishes requests, seals a last time, gives the folder back. */
  close(): Promise<void>;
}

/** Bytes of manifests and other small blobs that the registry keeps in memory. */
const registryRemembers = 8 * 1024 * 1024;
const noWitnesses = "quorum none\n";

/**
 * Starts a control plane on one machine: SQLite, local files, the built-in registry.
 *
 * @throws PlaneError `configuration` for options that cannot hold, `refuses-to-sign` for damaged logs.
 */
export async function startPlane(options: PlaneOptions): Promise<Plane> {
  const { dir, name, host = "127.0.0.1", clock = systemClock, witnessPolicy = noWitnesses } = options;
  checkOptions(options, host);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await checkFolder(dir, name, options);
  const logger: Logger = options.logger ?? (options.log === true ? createLogger({}) : silent);
  const cleanup: (() => Promise<unknown>)[] = [];
  let onSealingFailed = (_error: unknown): void => {};
  try {
    const policies = await WitnessPolicies.open(dir, witnessPolicy, options.insecureNoWitnesses === true);
    const policy = policies.given;
    const keys = await openPlaneKeys(join(dir, "keys"), name);
    const db = await openSqlite(join(dir, "plane.db"));
    cleanup.push(() => db.close());
    await createTables(db);
    await createFleetTables(db);
    // Before anything reads from them: what follows fills them again from the logs.
    if (await derivedTablesMissing(db)) await emptyDerivedTables(db);
    await createOperationTables(db);
    await createPushedTable(db);
    await createOutsideTables(db);
    const outside = options.registry === "built-in" ? undefined : options.registry;
    const left = await keepRegistryUrl(db, outside?.url, options.registry === "built-in");
    if (left !== undefined) logger.warn({ registry: left }, "what lies in the earlier registry is no longer served");
    // What devices bring lies apart: it may be collected, and the plane's own blobs never are.
    const brought = new FileBlobStore(join(dir, "device-blobs"));
    const blobs = layeredBlobs(new FileBlobStore(join(dir, "blobs")), brought);
    const logs = await PlaneLogs.open(join(dir, "logs"), name, keys, clock);
    cleanup.push(() => logs.close());
    const tokens = new Tokens(db, clock);
    const fleet = new Fleet({ plane: name, db, blobs, logs, tokens, clock });
    await fleet.catchUp();
    const metrics = new Metrics();
    const requests = new RequestLimits(options.requests);
    const index = new EntryIndex(db);
    const mirror = await Mirror.open({
      dir: join(dir, "mirror"),
      witness: keys.witness,
      mirror: keys.mirror,
      keySet: (origin, size) => fleet.admission(origin, size),
      inspect: {
        async check(log, from, entries) {
          await index.check(log, from, entries);
          metrics.entries(entries.ends.length);
        },
        stored: (log) => index.stored(log),
      },
      onConflict: (conflict) => fleet.onConflict(conflict),
      onPending: (origin) => fleet.onHeard(origin),
      onMirrored: (origin) => fleet.onHeard(origin),
      clock,
    });
    cleanup.push(() => mirror.close());
    for (const origin of mirror.origins()) {
      await index.catchUp(mirror.log(origin)!);
      // A conflict is kept by the mirror before the plane hears of it, and a kill may come in between.
      for (const conflict of await mirror.conflicts(origin)) await fleet.onConflict(conflict);
    }
    const checkpoints = {
      log: new Checkpoints(logOrigin(name), db, blobs, policy),
      fleet: new Checkpoints(fleetOrigin(name), db, blobs, policy),
    };
    const ignoredNames = options.insecureIgnoreWitnesses ?? [];
    for (const name of ignoredNames) {
      logger.warn({ witness: name }, "a witness is set aside by the operator: what it knows does not count");
    }
    if (options.insecureNoWitnesses === true) logger.warn({}, "the operator goes on without witnesses");
    const asked = { evidence: new WitnessEvidence(db, clock), clock, logger };
    const witnesses = new Witnesses({ policy, ignored: policies.ignored(policy, ignoredNames), ...asked });
    const { earlier } = policies;
    const earlierWitnesses =
      earlier && new Witnesses({ policy: earlier, ignored: policies.ignored(earlier, ignoredNames), ...asked });
    const heads = new HeadsStore(db);
    await heads.catchUp();
    const ownLogs = [
      { ledger: logs.log, signers: keys.log },
      { ledger: logs.fleet, signers: keys.fleet },
    ];
    const sightings = new Sightings({ db, clock, logs: ownLogs, logger });
    const restored = await RestoredGate.open({
      dir,
      db,
      witnessed: policy.quorum !== "none",
      withoutDevices: options.insecureSignWithoutDevices === true,
      logger,
    });
    const sealer = new Sealer({
      logs,
      checkpoints,
      heads,
      witnesses,
      ...(earlierWitnesses && { earlierWitnesses }),
      signers: keys,
      require: async () => {
        await sightings.requireNone();
        await restored.requireHeard();
      },
      onAgreed: async () => {
        await policies.use();
        await restored.passed();
      },
      logger,
      onRound: (ms, good) => metrics.round(ms, good),
      currentHeads: (fleetSize) => fleet.heads(mirror, fleetSize),
      clock,
      intervalMs: options.sealIntervalMs ?? 1000,
      onError: (error) => onSealingFailed(error),
    });
    sightings.onSighting = () => sealer.doubt();
    const identities = new Identities({ db, name, keys, policyText: witnessPolicy });
    const erasures = new DeviceErasures({
      db,
      registry: () => registry,
      parts: outside === undefined ? "registry_part" : "outside_part",
      keySet: (origin) => fleet.keySet(origin),
    });
    const provenBy = async (index: number) => (await checkpoints.log.firstCovering(index))?.notAfter ?? null;
    const revoked = new RevokedKeys({ db, provenBy });
    const statements = new Statements({ db, blobs, logs, identities, clock, erasures, revoked });
    await statements.rebuild();
    const rotations = new Rotations({ identities, revoked, clock });
    const decisions = new Decisions({ db, blobs, logs, fleet, statements, rotations });
    await decisions.catchUp();
    const quota = await DeviceQuota.open(options.deviceBytesPerDay ?? 16 * 2 ** 30, clock, db);
    cleanup.push(() => quota.flush());
    const deviceBlobs = new DeviceBlobs({
      db,
      blobs: brought,
      mirror,
      clock,
      metrics,
      onError: (error) => logger.error({ err: error }, "collecting blobs failed"),
    });
    deviceBlobs.start();
    cleanup.push(() => deviceBlobs.stop());
    // A store of its own: what people may pull is decided by repository, and evidence is nobody's to overwrite.
    const artifacts = new FileBlobStore(join(dir, "registry"), { remembered: registryRemembers });
    const retentionRecord = new RetentionRecord({ db, blobs, logs, clock, logger });
    let onRegistryFailed = (_error: unknown): void => {};
    const failed = (error: unknown) => onRegistryFailed(error);
    const isModel = async (manifest: Digest, repository: string) =>
      (await repositoriesOf(statements, manifest)).includes(repository);
    const outsideRegistry =
      outside && planeOutsideRegistry({ settings: outside, tokens, db, quota, isModel, onError: failed });
    const present = async (_: string, digest: Digest) => (await artifacts.has(digest)) !== undefined;
    const registry =
      outsideRegistry ??
      createRegistry({
        blobs: artifacts,
        db,
        ...registryAccess({ tokens, db, present, quota }),
        onRefused: (refused) => retentionRecord.refused(refused),
        evidence: evidenceNames({ db, blobs, statements }),
        clock,
        onError: failed,
      });
    await statements.repeatErasures().catch((error: unknown) => {
      // An outside registry may be away when the plane starts; the built-in one may not.
      if (outsideRegistry === undefined) throw error;
      logger.error({ err: error }, "erasures could not be repeated at the registry");
    });
    const collections = new Collections({ registry, metrics, logger });
    if (outsideRegistry === undefined) collections.start();
    cleanup.push(() => collections.stop());
    const channels = new Channels({ db, logs, statements });
    const lineage = new Lineage({ db, statements, registry });
    const source = new PlaneSource({ logs, checkpoints, heads, mirror, fleet, db, blobs, statements });
    const parts: PlaneParts = {
      name,
      clock,
      db,
      blobs,
      logs,
      checkpoints,
      witnesses,
      sealer,
      mirror,
      tokens,
      sessions: new Sessions(tokens, clock),
      sightings,
      restored,
      quota,
      deviceBlobs,
      fleet,
      entryRequests: new EntryRequests({ db, fleet, mirror, clock }),
      identities,
      statements,
      decisions,
      channels,
      lineage,
      registry,
      outsideRegistry,
      retentionRecord,
      collections,
      source,
      answers: await AnswerSpool.open({ dir: join(dir, "answers"), source, clock }),
      receipts: keys.receipts,
      metrics,
      requests,
      verifyPage: join(dir, "verify.html"),
      givenVerifyPage: options.verifyPage,
    };
    const adminTokenPath = await firstAdministrator(dir, tokens);
    const app = await createServer(parts, {
      ...(options.tls && { tls: options.tls }),
      ...(options.bodyTimeoutMs !== undefined && { bodyTimeoutMs: options.bodyTimeoutMs }),
      ...(options.maxConnections !== undefined && { maxConnections: options.maxConnections }),
      ...(options.headersTimeoutMs !== undefined && { headersTimeoutMs: options.headersTimeoutMs }),
      limits: requests,
      metrics,
      logger,
    });
    // Requests end first, then what they made durable is sealed.
    cleanup.push(() => sealer.stop());
    cleanup.push(() => endRequests(app, options.shutdownMs ?? 30_000));
    onRegistryFailed = (error) => logger.error({ err: error }, "the registry failed");
    onSealingFailed = (error) => {
      // Why nothing is signed was said when it began.
      if (error instanceof PlaneError && (error.code === "refuses-to-sign" || error.code === "not-ready")) return;
      const { problem } = logs;
      if (problem === undefined) logger.error({ err: error }, "sealing failed");
      else
        logger.error({ err: problem, hint: problem.hint }, "the plane's own log cannot be written: restart the plane");
    };
    await sealer.seal().catch(onSealingFailed);
    sealer.start();
    const { socket } = options;
    await app.listen(socket === undefined ? { host, port: options.port ?? 0 } : { path: socket });
    const address = app.server.address() as AddressInfo | string;
    const port = typeof address === "string" ? 0 : address.port;
    const scheme = options.tls === undefined ? "http" : "https";
    return {
      url: `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`,
      adminTokenPath,
      parts,
      close: () => closeAll(cleanup),
    };
  } catch (error) {
    await closeAll(cleanup);
    throw error;
  }
}

function checkOptions({ name, tls, insecureHttp }: PlaneOptions, host: string): void {
  if (!/^[a-z0-9][a-z0-9.-]*(\/[a-z0-9][a-z0-9._-]*)*$/.test(name) || name.length > 128) {
    throw new PlaneError("configuration", `"${name}" cannot be a plane's name`, {
      hint: "write a schema-less URL in lower case, such as tally.example/hospital",
    });
  }
  const loopback = host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
  if (tls !== undefined || loopback || insecureHttp === true) return;
  throw new PlaneError("configuration", `plain HTTP on ${host} would show tokens to the network`, {
    hint: "give a certificate and its key, listen on 127.0.0.1, or allow it with --insecure-http",
  });
}

/** The folder's name is its own for good; a new one with witnesses has to be meant. */
async function checkFolder(
  dir: string,
  name: string,
  { witnessPolicy = noWitnesses, init }: PlaneOptions,
): Promise<void> {
  const path = join(dir, "plane.json");
  const known = await readFile(path, "utf8").catch(() => undefined);
  if (known !== undefined) {
    const stored = nameIn(known, path);
    if (stored === name) return;
    throw new PlaneError("configuration", `${dir} is the folder of plane ${String(stored)}, not of ${name}`, {
      hint: "a plane keeps its name: it is in every origin and every signature",
    });
  }
  // A kill may have come while the first file was being written.
  const others = (await readdir(dir)).filter((file) => file !== "plane.json.tmp");
  if (others.length > 0 && init !== true) {
    throw new PlaneError("configuration", `${dir} is not empty and holds no plane`, {
      hint: "give an empty folder; where a restore was broken off, empty it and restore again",
    });
  }
  if (parsePolicy(witnessPolicy).witnesses.size > 0 && init !== true) {
    throw new PlaneError("configuration", `${dir} is empty, and witnesses may already know a plane of this name`, {
      hint: "for a new plane add --init; after a loss restore the backup instead",
    });
  }
  await writeDurably(nodeFiles, path, utf8(`${JSON.stringify({ format: "tally-plane/v1", name }, null, 2)}\n`));
}

function nameIn(text: string, path: string): unknown {
  try {
    return (JSON.parse(text) as { name?: unknown }).name;
  } catch (cause) {
    throw new PlaneError("configuration", `${path} is not JSON`, {
      cause,
      hint: 'write {"format":"tally-plane/v1","name":"<the name in logs/log/log.json, before /log>"}, or restore a backup',
    });
  }
}

async function firstAdministrator(dir: string, tokens: Tokens): Promise<string> {
  const path = join(dir, "admin.token");
  if ((await nodeFiles.readWhole(path)) !== undefined) {
    // A kill may have come before the file was its owner's alone.
    await chmod(path, 0o600);
    return path;
  }
  const { token } = await tokens.create(
    { role: "admin", repository: "*", origin: null },
    10 * 365 * 86_400_000,
    "first",
  );
  await writeDurably(nodeFiles, path, utf8(`${token}\n`));
  await chmod(path, 0o600);
  return path;
}

/** Takes no more requests and waits for those under way, but not for ever. */
async function endRequests(app: FastifyInstance, ms: number): Promise<void> {
  const { server } = app;
  const deadline = setTimeout(() => server.closeAllConnections(), ms);
  // A connection whose last request has just ended would stay open for the next one.
  const idle = setInterval(() => server.closeIdleConnections(), 20);
  try {
    await app.close();
  } finally {
    clearTimeout(deadline);
    clearInterval(idle);
  }
}

async function closeAll(steps: (() => Promise<unknown>)[]): Promise<void> {
  for (const step of steps.splice(0).reverse()) await step();
}
