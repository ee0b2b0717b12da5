import { randomBytes } from "node:crypto";
import swagger from "@fastify/swagger";
import Fastify, {
  type FastifyContextConfig,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from "fastify";
import { tokenOf } from "../access/tokens.ts";
import { PlaneError } from "../error.ts";
import { isFullLogger, type Logger } from "../operation/logger.ts";
import type { Metrics } from "../operation/metrics.ts";
import type { PlaneParts } from "../parts.ts";
import { endUnreadBodies, limitBody, readBodies } from "./bodies.ts";
import { describeError, errorBody } from "./error-answer.ts";
import { mountRegistry } from "./mount-registry.ts";
import { isFromOtherSite } from "./other-site.ts";
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
    if (isFromOtherSite(request.raw)) return refuseSite(request, reply);
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
    const { status, body } = describeError(error);
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
  return reply.send(errorBody(reason === "rate" ? "too-many" : "busy", message, `come again in ${retryAfter} s`));
}

function refuseSite({ url }: FastifyRequest, reply: FastifyReply): FastifyReply {
  const message = "a page of another site asks for this";
  if (/^\/v2(\/|$|\?)/.test(url)) return reply.code(403).send({ errors: [{ code: "DENIED", message }] });
  return reply
    .code(403)
    .send(errorBody("forbidden", message, "send it from a program, or from the plane's own origin"));
}

function nothingThere({ method, url }: FastifyRequest, reply: FastifyReply): FastifyReply {
  const message = `there is no ${method} ${url.split("?")[0]}`;
  return reply.code(404).send(errorBody("not-found", message, "GET /openapi.json lists what there is"));
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
