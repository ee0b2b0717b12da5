import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import swagger from "@fastify/swagger";
import { type ErrorBody, envelopeMediaType } from "@tally/evidence";
import { isDiskFull } from "@tally/ledger";
import { PolicyError, permitDigest } from "@tally/policy";
import Fastify, {
  type FastifyContextConfig,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from "fastify";
import { tokenOf } from "../access/tokens.ts";
import { PlaneError, type PlaneErrorCode } from "../error.ts";
import { isFullLogger, type Logger } from "../operation/logger.ts";
import type { Metrics } from "../operation/metrics.ts";
import type { PlaneParts } from "../parts.ts";
import type { RequestLimits, TurnedAway } from "./request-limits.ts";
import type { Route } from "./route.ts";
import { accessRoutes } from "./routes/access.ts";
import { entryRequestRoutes } from "./routes/entry-requests.ts";
import { evidenceRoutes } from "./routes/evidence.ts";
import { fleetRoutes } from "./routes/fleet.ts";
import { healthRoutes } from "./routes/health.ts";
import { logRoutes } from "./routes/logs.ts";
import { metricsRoutes } from "./routes/metrics.ts";
import { registryRoutes } from "./routes/registry.ts";
import { statementRoutes } from "./routes/statements.ts";
import { verifyPageRoutes } from "./routes/verify-page.ts";
import { endSlowBody } from "./slow-body.ts";

export interface ServerOptions {
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
  readonly logger: Logger;
  readonly limits: RequestLimits;
  readonly metrics: Metrics;
  /** Milliseconds in which a request's headers have to be there. Default 15,000. */
  readonly headersTimeoutMs?: number;
  /** Milliseconds in which a body has to be there, 20 times that for uploads of entries and blobs. Default 30,000. */
  readonly bodyTimeoutMs?: number;
  /** Open at a time; more are turned away, so that files can still be opened. Default 10,000. */
  readonly maxConnections?: number;
}

const statusOf: Readonly<Record<PlaneErrorCode, number>> = {
  "bad-request": 400,
  unauthorized: 401,
  forbidden: 403,
  blocked: 403,
  "awaiting-acceptance": 404,
  "policy-denied": 403,
  "not-found": 404,
  conflict: 409,
  "too-large": 413,
  "not-ready": 503,
  "refuses-to-sign": 503,
  configuration: 500,
  internal: 500,
};

/** Every route of the API, as data: the server registers it, the OpenAPI document shows it, a test tries every role on it. */
export function routesOf(parts: PlaneParts): readonly Route[] {
  return [
    ...healthRoutes(parts),
    ...metricsRoutes(parts),
    ...accessRoutes(parts),
    ...fleetRoutes(parts),
    ...entryRequestRoutes(parts),
    ...statementRoutes(parts),
    ...evidenceRoutes(parts),
    ...logRoutes(parts),
    ...registryRoutes(parts),
    ...verifyPageRoutes(parts),
  ];
}

/** The HTTP server of a plane, ready to listen. */
export async function createServer(parts: PlaneParts, options: ServerOptions): Promise<FastifyInstance> {
  const { headersTimeoutMs = 15_000 } = options;
  const slowHeaders = {
    headersTimeout: headersTimeoutMs,
    connectionsCheckingInterval: Math.max(10, Math.min(5_000, headersTimeoutMs / 3)),
  };
  // With TLS Fastify gives another type of server; what is used of it is the same.
  const app = Fastify({
    ...(options.tls
      ? { https: { ...options.tls, ...slowHeaders, handshakeTimeout: slowHeaders.headersTimeout } }
      : { http: slowHeaders }),
    genReqId: () => randomBytes(8).toString("hex"),
    bodyLimit: 1024 * 1024,
    // Idle connections end; a registry upload may take as long as it moves, and the registry itself ends silent ones.
    connectionTimeout: 60_000,
    requestTimeout: 0,
    keepAliveTimeout: 30_000,
    routerOptions: { maxParamLength: 512 },
    forceCloseConnections: "idle",
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
    ...(isFullLogger(options.logger) ? { loggerInstance: options.logger } : { logger: false }),
  }) as unknown as FastifyInstance;
  await app.register(swagger, {
    openapi: {
      info: { title: "Tally plane", version: "0.1.0", description: "Roles and tokens, logs, answers with proof." },
      components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
    },
  });
  readBodies(app);
  app.decorateRequest("bearer", undefined);
  const bodyTimeoutMs = options.bodyTimeoutMs ?? 30_000;
  app.server.maxConnections = options.maxConnections ?? 10_000;
  app.addHook("onRequest", async (request, reply) => {
    endUnreadBodies(request.raw, reply.raw, bodyTimeoutMs);
    reply.header("x-request-id", request.id);
    const away = turnAway(request, reply, options);
    if (away !== undefined) return refuseForNow(request, reply, away);
    // Said before a body is waited for.
    if (request.is404) return nothingThere(request, reply);
  });
  app.addHook("onResponse", async (request, reply) => {
    const route = request.is404 ? "none" : (request.routeOptions.url ?? "none");
    options.metrics.request(request.method, route, reply.statusCode, reply.elapsedTime);
  });
  for (const route of routesOf(parts)) register(app, route, parts, bodyTimeoutMs);
  mountRegistry(app, parts, bodyTimeoutMs);
  app.get("/openapi.json", { schema: { hide: true } }, async () => app.swagger());
  app.setNotFoundHandler(async (request, reply) => nothingThere(request, reply));
  app.setErrorHandler((error, request, reply) => {
    const { status, body } = describe(error);
    if (status >= 500) request.log.error({ err: error }, "request failed");
    if (status === 503) reply.header("retry-after", "1");
    return reply.code(status).send(body);
  });
  await app.ready();
  return app;
}

function register(app: FastifyInstance, route: Route, parts: PlaneParts, bodyTimeoutMs: number): void {
  const { method, url, access, summary, tag, schema = {}, bodyLimit, streams, handle } = route;
  const security = access === "public" ? [] : [{ token: [] as string[] }];
  const roles = typeof access === "string" ? access : access.join(", ");
  app.route({
    method,
    url,
    ...(bodyLimit !== undefined && { bodyLimit }),
    config: {
      ...(streams && { streams }),
      ...(route.large && { upload: true }),
      ...(tag === "health" && { health: true }),
    },
    schema: { summary, tags: [tag], security, description: `Access: ${roles}.`, ...schema },
    onRequest: async (request, reply) => {
      await authorise(request, route, parts);
      limitBody(request, reply, route.large === true ? 20 * bodyTimeoutMs : bodyTimeoutMs);
    },
    handler: handle,
  });
}

/** Takes a place for the request until its answer has gone; what there is against it otherwise. Health is always told. */
function turnAway(request: FastifyRequest, reply: FastifyReply, options: ServerOptions): TurnedAway | undefined {
  const { limits, metrics } = options;
  // A path that is none has no route.
  const config = request.routeOptions.config as FastifyContextConfig | undefined;
  if (config?.health === true) return undefined;
  const taken = limits.rate(request) ?? limits.enter(config?.upload === true);
  if ("leave" in taken) {
    reply.raw.once("close", taken.leave);
    return undefined;
  }
  metrics.turnedAway(taken.reason);
  return taken;
}

function refuseForNow({ url }: FastifyRequest, reply: FastifyReply, { status, reason, retryAfter }: TurnedAway) {
  reply.code(status).header("retry-after", String(retryAfter));
  const message =
    reason === "rate" ? "too many requests from one caller" : "the plane has as much to do as it takes on";
  // OCI clients know their own form of errors only.
  if (/^\/v2(\/|$|\?)/.test(url)) return reply.send({ errors: [{ code: "TOOMANYREQUESTS", message }] });
  return reply.send(bodyOf(reason === "rate" ? "too-many" : "busy", message, `come again in ${retryAfter} s`));
}

function nothingThere({ method, url }: FastifyRequest, reply: FastifyReply): FastifyReply {
  const message = `there is no ${method} ${url.split("?")[0]}`;
  return reply.code(404).send(bodyOf("not-found", message, "GET /openapi.json lists what there is"));
}

/**
 * What is still being sent after the answer is read and dropped for so long, and not for ever: it needs no token. Node does not
 * tell whoever still reads the body that its connection has gone, once it has been answered: it would wait with an open file.
 */
function endUnreadBodies(request: IncomingMessage, response: ServerResponse, ms: number): void {
  response.once("finish", () => {
    if (request.complete) return;
    const { socket } = request;
    const timer = setTimeout(() => {
      if (!request.complete) socket.destroy();
    }, ms).unref();
    const gone = () => {
      clearTimeout(timer);
      request.destroy();
    };
    if (socket.destroyed) gone();
    else {
      socket.once("close", gone);
      // A connection serves many requests.
      request.once("end", () => {
        clearTimeout(timer);
        socket.off("close", gone);
      });
    }
  });
}

/** A body that trickles in keeps its connection for no longer than this: a silent one is not the only slow one. */
function limitBody({ raw }: FastifyRequest, reply: FastifyReply, ms: number): void {
  if (raw.method === "GET" || raw.complete) return;
  const timer = setTimeout(() => {
    if (raw.complete) return;
    const body = bodyOf("too-slow", `the body was not there within ${ms / 1000} s`);
    if (!reply.sent) void reply.code(408).header("connection", "close").send(body);
    else raw.destroy();
  }, ms).unref();
  // A body that nobody reads to its end closes with its answer.
  for (const ended of [raw, reply.raw]) ended.once("close", () => clearTimeout(timer));
}

/** Decides by role before a byte of the body is read. */
async function authorise(request: FastifyRequest, { access, url }: Route, { tokens }: PlaneParts): Promise<void> {
  if (typeof access === "string") return;
  const token = tokenOf(request.headers.authorization);
  const bearer = token === undefined ? undefined : await tokens.find(token);
  if (bearer === undefined) {
    throw new PlaneError(
      "unauthorized",
      token === undefined ? "no token was given" : "the token is unknown or has expired",
      {
        hint: "send `Authorization: Bearer tly_…`",
      },
    );
  }
  if (!access.includes(bearer.role)) {
    throw new PlaneError("forbidden", `the role ${bearer.role} may not do this`, {
      hint: `it takes one of: ${access.join(", ")}`,
    });
  }
  if (bearer.judged === true && url !== "/add-checkpoint") {
    throw new PlaneError("blocked", `${bearer.origin} is kept out: what it offers is only looked at`, {
      hint: "an administrator decides what becomes of it: `tally device status`",
    });
  }
  request.bearer = bearer;
}

/** JSON as JSON; every other body as bytes; uploads of entries and of the registry untouched, as a stream. */
function readBodies(app: FastifyInstance): void {
  app.removeContentTypeParser("text/plain");
  const raw = { parseAs: "buffer" } as const;
  for (const type of [envelopeMediaType, "text/plain", "application/vnd.in-toto+json"]) {
    app.addContentTypeParser(type, raw, (_request, body, done) => done(null, body));
  }
  app.addContentTypeParser("*", (request, payload, done) => {
    const { config, bodyLimit: limit = 1024 * 1024 } = request.routeOptions;
    if (config.streams === true) {
      done(null, undefined);
      return;
    }
    collect(payload, limit).then((body) => done(null, body), done);
  });
}

async function collect(payload: AsyncIterable<Uint8Array>, limit: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of payload) {
    length += chunk.length;
    if (length > limit) throw new PlaneError("too-large", `the body is larger than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function mountRegistry(app: FastifyInstance, { registry }: PlaneParts, bodyTimeoutMs: number): void {
  const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] as const;
  for (const url of ["/v2", "/v2/", "/v2/*"]) {
    app.route({
      method: [...methods],
      url,
      schema: { hide: true },
      exposeHeadRoute: false,
      // Taken before a body is parsed: blobs are streams of any length.
      onRequest: async (request, reply) => {
        reply.hijack();
        const { raw } = request;
        // Manifests are small. A blob may take as long as it moves.
        if (raw.method === "PUT" && raw.url?.includes("/manifests/") === true && !raw.complete) {
          const timer = setTimeout(() => raw.destroy(), bodyTimeoutMs);
          for (const event of ["end", "close"]) raw.once(event, () => clearTimeout(timer));
        }
        endSlowBody(raw, bodyTimeoutMs);
        await registry.handle(request.raw, reply.raw);
      },
      handler: async () => undefined,
    });
  }
}

function describe(error: unknown): { status: number; body: ErrorBody } {
  const { code, message, hint, statusCode, validation } = error as {
    code?: unknown;
    message: string;
    hint?: string;
    statusCode?: number;
    validation?: unknown;
  };
  if (error instanceof PlaneError) {
    const { error: said } = bodyOf(error.code, message, hint);
    return { status: statusOf[error.code], body: { error: { ...said, ...denialOf(error.cause) } } };
  }
  if (isDiskFull(error) || code === "storage-full") {
    const hint = "nothing of what was acknowledged is lost; free some space and send it again";
    return { status: 507, body: bodyOf("storage-full", "the plane has no space left for this", hint) };
  }
  if (validation !== undefined) return { status: 400, body: bodyOf("bad-request", message) };
  if ((error as Error).name === "EvidenceError") return { status: 400, body: bodyOf(String(code), message, hint) };
  const named = (error as Error).name;
  if (named === "OciError" || named === "LedgerError") {
    if (code === "queue-full") return { status: 503, body: bodyOf("busy", message, hint) };
    const clients = new Set(["digest-mismatch", "protocol", "not-found", "too-large", "range-invalid", "refused"]);
    if (clients.has(String(code)))
      return { status: code === "not-found" ? 404 : 400, body: bodyOf(String(code), message, hint) };
  }
  if (statusCode !== undefined && statusCode < 500) return { status: statusCode, body: bodyOf("bad-request", message) };
  return { status: 500, body: bodyOf("internal", "the plane could not do this", "its log says why; try again later") };
}

/** What a gate found, where a gate denied. */
function denialOf(cause: unknown): Partial<ErrorBody["error"]> {
  if (!(cause instanceof PolicyError)) return {};
  return { reasons: cause.verdict.reasons, verdict: permitDigest(cause.verdict) };
}

function bodyOf(code: string, message: string, hint?: string): ErrorBody {
  return { error: { code, message, ...(hint !== undefined && { hint }) } };
}
