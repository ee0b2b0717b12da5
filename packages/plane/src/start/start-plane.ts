import { mkdir } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import { Sessions } from "../access/sessions.ts";
import { Tokens } from "../access/tokens.ts";
import { AnswerSpool } from "../audit/index.ts";
import { PlaneSource } from "../audit/plane-source.ts";
import { EntryRequests } from "../fleet/entry-requests.ts";
import { Fleet } from "../fleet/fleet.ts";
import { RequestLimits } from "../http/request-limits.ts";
import { createServer } from "../http/server.ts";
import { WitnessPolicies } from "../log/witness-policies.ts";
import { createLogger, type Logger, silent } from "../operation/logger.ts";
import { Metrics } from "../operation/metrics.ts";
import { keepRegistryUrl } from "../outside-registry.ts";
import type { PlaneParts } from "../parts.ts";
import { Channels, Lineage, PeopleKeys } from "../statements/index.ts";
import { openArtifacts } from "./open-artifacts.ts";
import { openMirror } from "./open-mirror.ts";
import { openSealing, type Sealing } from "./open-sealing.ts";
import { openStatements } from "./open-statements.ts";
import { openStores, type Stores } from "./open-stores.ts";
import { checkFolder, firstAdministrator } from "./plane-folder.ts";
import { checkOptions, defaultHost, noWitnesses, type PlaneOptions } from "./plane-options.ts";

export interface Plane {
  /** `http://127.0.0.1:4711`, without a slash at the end. */
  readonly url: string;
  /** The file with the first administrator's token. */
  readonly adminTokenPath: string;
  readonly parts: PlaneParts;
  /** Finishes requests, seals a last time, gives the folder back. */
  close(): Promise<void>;
}

/** A plane whose parts are there, and which nobody can reach yet. */
interface Assembled {
  readonly parts: PlaneParts;
  readonly sealing: Sealing;
}

/**
 * Starts a control plane on one machine: SQLite, local files, the built-in registry.
 *
 * @throws PlaneError `configuration` for options that cannot hold, `refuses-to-sign` for damaged logs.
 */
export async function startPlane(options: PlaneOptions): Promise<Plane> {
  const { dir, name } = options;
  checkOptions(options);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await checkFolder(dir, name, options);
  const logger: Logger = options.logger ?? (options.log === true ? createLogger({}) : silent);
  await using opened = new AsyncDisposableStack();
  const { parts, sealing } = await assemble(options, logger, opened);
  const adminTokenPath = await firstAdministrator(dir, parts.tokens);
  const app = await createServer(parts, {
    ...(options.tls && { tls: options.tls }),
    ...(options.bodyTimeoutMs !== undefined && { bodyTimeoutMs: options.bodyTimeoutMs }),
    ...(options.maxConnections !== undefined && { maxConnections: options.maxConnections }),
    ...(options.headersTimeoutMs !== undefined && { headersTimeoutMs: options.headersTimeoutMs }),
    limits: parts.requests,
    metrics: parts.metrics,
    logger,
  });
  const { sealer, failed } = sealing;
  // Requests end first, then what they made durable is sealed.
  opened.defer(() => sealer.stop());
  opened.defer(() => endRequests(app, options.shutdownMs ?? 30_000));
  await sealer.seal().catch(failed);
  sealer.start();
  const url = await listen(app, options);
  const running = opened.move();
  return { url, adminTokenPath, parts, close: () => running.disposeAsync() };
}

/** Opens all parts in the order in which they need each other; `opened` closes them. */
async function assemble(options: PlaneOptions, logger: Logger, opened: AsyncDisposableStack): Promise<Assembled> {
  const { dir, name } = options;
  const policies = await WitnessPolicies.open(
    dir,
    options.witnessPolicy ?? noWitnesses,
    options.insecureNoWitnesses === true,
  );
  const stores = await openStores(options, opened);
  const { clock, keys, db, blobs, logs } = stores;
  await rememberRegistry(stores, options, logger);
  const tokens = new Tokens(db, clock);
  const fleet = new Fleet({ plane: name, db, blobs, logs, tokens, clock });
  await fleet.catchUp();
  const metrics = new Metrics();
  const mirror = await openMirror({ dir, keys, db, clock, fleet, metrics }, opened);
  const sealing = await openSealing(options, { stores, policies, fleet, mirror, metrics, logger });
  const { checkpoints, heads, witnesses, sightings, restored, sealer } = sealing;
  const { identities, statements, decisions, quarantines } = await openStatements(options, {
    stores,
    fleet,
    checkpoints: checkpoints.log,
    registry: () => artifacts.registry,
  });
  const artifacts = await openArtifacts(options, { stores, mirror, tokens, statements, metrics, logger }, opened);
  const { registry, outsideRegistry } = artifacts;
  await statements.repeatErasures().catch((error: unknown) => {
    // An outside registry may be away when the plane starts; the built-in one may not.
    if (outsideRegistry === undefined) throw error;
    logger.error({ err: error }, "erasures could not be repeated at the registry");
  });
  if (outsideRegistry === undefined) artifacts.collections.start();
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
    fleet,
    entryRequests: new EntryRequests({ db, fleet, mirror, clock }),
    identities,
    statements,
    decisions,
    channels: new Channels({ db, logs, statements, people: new PeopleKeys({ db, logs, statements, checkpoints }) }),
    lineage: new Lineage({ db, statements, registry, quarantines }),
    quarantines,
    ...artifacts,
    source,
    answers: await AnswerSpool.open({ dir: join(dir, "answers"), source, clock }),
    receipts: keys.receipts,
    metrics,
    requests: new RequestLimits(options.requests),
    verifyPage: join(dir, "verify.html"),
    givenVerifyPage: options.verifyPage,
  };
  return { parts, sealing };
}

async function rememberRegistry({ db }: Stores, { registry }: PlaneOptions, logger: Logger): Promise<void> {
  const outside = registry === "built-in" ? undefined : registry;
  const left = await keepRegistryUrl(db, outside?.url, registry === "built-in");
  if (left !== undefined) logger.warn({ registry: left }, "what lies in the earlier registry is no longer served");
}

async function listen(
  app: FastifyInstance,
  { host = defaultHost, port = 0, socket, tls }: PlaneOptions,
): Promise<string> {
  await app.listen(socket === undefined ? { host, port } : { path: socket });
  const address = app.server.address() as AddressInfo | string;
  const bound = typeof address === "string" ? 0 : address.port;
  return `${tls === undefined ? "http" : "https"}://${host.includes(":") ? `[${host}]` : host}:${bound}`;
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
