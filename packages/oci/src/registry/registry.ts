import type { IncomingMessage, ServerResponse } from "node:http";
import type { ArtifactSource } from "../artifact/transfer.ts";
import type { ContentDigest } from "../storage/content-digest.ts";
import { requireAccess } from "./access.ts";
import { deleteBlob, sendBlob } from "./blobs.ts";
import { Collection } from "./collect/collection.ts";
import type { CollectOptions, Decision } from "./collect/decision.ts";
import { Contents } from "./contents.ts";
import { turnsOf } from "./digest-turns.ts";
import { type Exchange, sendEmpty } from "./exchange.ts";
import { listReferrers } from "./list-referrers.ts";
import { listTags } from "./listings.ts";
import { LocalRepository } from "./local-repository.ts";
import { deleteManifest, putManifest, sendManifest } from "./manifests.ts";
import { defaultLimits, type RegistryAction, type RegistryOptions } from "./options.ts";
import { Quotas } from "./quotas.ts";
import { Refusal, refusalOf, sendError } from "./refusal.ts";
import { Retention } from "./retention.ts";
import { parseRoute, type Route } from "./route.ts";
import { migrateRegistry } from "./tables.ts";
import { UploadSessions } from "./upload-sessions.ts";
import { appendChunk, beginUpload, cancelUpload, finishUpload, uploadStatus } from "./uploads.ts";

export interface Registry {
  /**
   * Answers any request under /v2/, errors included; it never rejects. The body must not have been read. The server's own
   * time limit for a whole request has to be off or long enough for the largest upload: silence is watched for here.
   */
  handle(req: IncomingMessage, res: ServerResponse): Promise<void>;
  /** A repository as this process may read it: without HTTP, and without asking `authorize`. Throws `name-invalid`. */
  repository(name: string): ArtifactSource;
  /**
   * Destroys a blob although manifests of the repository need it, as erasing a person's data demands: they stay, and what
   * they name is gone. The bytes go too unless another repository holds them. Whether there was something to destroy. An
   * outside registry may keep whatever a manifest needs, so there the manifest that is named here goes as well.
   */
  eraseBlob(repository: string, digest: ContentDigest, manifest?: ContentDigest): Promise<boolean>;
  /**
   * Removes what nothing needs, while pushes go on, and says of each thing what becomes of it and why. It works as far as its
   * decisions are read, and can be left anywhere. Throws `busy` while another one is under way.
   */
  collect(options?: CollectOptions): AsyncGenerator<Decision, void>;
  /** Which repositories are written once. */
  readonly retention: Pick<Retention, "list" | "set">;
  /** What repositories may hold. */
  readonly quotas: Pick<Quotas, "list" | "set" | "remove">;
}

/**
 * A registry by the OCI distribution specification 1.1: pull, push, content discovery and content management, in terms of
 * plain requests and responses. Which blob belongs to which repository, tags and referrers are in the database, bytes in the
 * blob store; several registries may share both.
 */
export function createRegistry(options: RegistryOptions): Registry {
  const { db, blobs, clock = Date } = options;
  const turns = turnsOf(blobs);
  const quotas = new Quotas(db);
  const retention = new Retention(db, clock);
  const contents = new Contents(db, retention, turns, clock);
  const limits = { ...defaultLimits, ...options.limits };
  const uploads = new UploadSessions(db, blobs, clock, limits);
  const collection = new Collection({
    db,
    blobs,
    contents,
    turns,
    retention,
    uploads,
    clock,
    evidence: options.evidence,
  });
  let ready: Promise<void> | undefined;

  async function open(): Promise<void> {
    await migrateRegistry(db);
    await quotas.recount();
    await uploads.sweep();
  }

  function opened(): Promise<void> {
    ready ??= open().catch((error) => {
      ready = undefined;
      throw error;
    });
    return ready;
  }

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    res.setHeader("Docker-Distribution-API-Version", "registry/2.0");
    res.setHeader("X-Content-Type-Options", "nosniff");
    const target = req.url ?? "";
    const base = "http://registry.invalid";
    if (!URL.canParse(target, base)) throw new Refusal(404, "UNSUPPORTED", "the request's target is no path");
    const url = new URL(target, base);
    const route = parseRoute(url.pathname);
    const handler = handlerOf(req.method ?? "", route);
    await requireAccess(options, req, "repository" in route ? route.repository : "", handler.action);
    await opened();
    await handler.run({ req, res, query: url.searchParams, blobs, contents, uploads, turns, quotas, options });
  }

  return {
    repository: (name) => new LocalRepository(name, contents, blobs, opened),
    async eraseBlob(repository, digest) {
      await opened();
      return turns.take(digest, async () => {
        const held = await contents.eraseBlob(repository, digest);
        // A stop before this leaves bytes that no repository shows; erasing again removes them.
        if (held === "last") return blobs.delete(digest);
        return held === "shared";
      });
    },
    async *collect(wanted = {}) {
      await opened();
      yield* collection.run(wanted);
    },
    retention: {
      list: async () => opened().then(() => retention.list()),
      set: async (pattern, ms) => opened().then(() => retention.set(pattern, ms)),
    },
    quotas: {
      list: async () => opened().then(() => quotas.list()),
      set: async (quota) => opened().then(() => quotas.set(quota)),
      remove: async (pattern) => opened().then(() => quotas.remove(pattern)),
    },
    async handle(req, res) {
      try {
        await answer(req, res);
      } catch (error) {
        if (refusalOf(error) === undefined && !res.destroyed) options.onError?.(error, req);
        sendError(res, error);
      }
    },
  };
}

interface Handler {
  readonly action: RegistryAction;
  run(exchange: Exchange): Promise<void> | void;
}

/** Which function answers which method of which path, and what the caller must be allowed to do for it. */
function handlerOf(method: string, route: Route): Handler {
  const handlers = handlersOf(route);
  const handler = handlers[method === "HEAD" ? "GET" : method];
  if (handler !== undefined && Object.hasOwn(handlers, method === "HEAD" ? "GET" : method)) return handler;
  throw new Refusal(405, "UNSUPPORTED", `${method} is not a method of this endpoint`, {
    headers: { Allow: Object.keys(handlers).join(", ") },
  });
}

function handlersOf(route: Route): Record<string, Handler> {
  switch (route.kind) {
    case "ping":
      return { GET: { action: "pull", run: ({ res }) => sendEmpty(res, 200) } };
    case "blob":
      return {
        GET: { action: "pull", run: (exchange) => sendBlob(exchange, route.repository, route.digest) },
        DELETE: { action: "delete", run: (exchange) => deleteBlob(exchange, route.repository, route.digest) },
      };
    case "uploads":
      return { POST: { action: "push", run: (exchange) => beginUpload(exchange, route.repository) } };
    case "upload":
      return {
        GET: { action: "push", run: (exchange) => uploadStatus(exchange, route.repository, route.id) },
        PATCH: { action: "push", run: (exchange) => appendChunk(exchange, route.repository, route.id) },
        PUT: { action: "push", run: (exchange) => finishUpload(exchange, route.repository, route.id) },
        DELETE: { action: "push", run: (exchange) => cancelUpload(exchange, route.repository, route.id) },
      };
    case "manifest":
      return {
        GET: { action: "pull", run: (exchange) => sendManifest(exchange, route.repository, route.reference) },
        PUT: { action: "push", run: (exchange) => putManifest(exchange, route.repository, route.reference) },
        DELETE: { action: "delete", run: (exchange) => deleteManifest(exchange, route.repository, route.reference) },
      };
    case "tags":
      return { GET: { action: "pull", run: (exchange) => listTags(exchange, route.repository) } };
    case "referrers":
      return { GET: { action: "pull", run: (exchange) => listReferrers(exchange, route.repository, route.digest) } };
  }
}
