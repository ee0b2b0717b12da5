import type { IncomingMessage, ServerResponse } from "node:http";
import type { CredentialOptions } from "../client/credentials.ts";
import { discard } from "../client/reply.ts";
import { OciError } from "../error.ts";
import { requireAccess } from "../registry/access.ts";
import { sendEmpty } from "../registry/exchange.ts";
import type { RegistryAction, RegistryOptions } from "../registry/options.ts";
import { Refusal } from "../registry/refusal.ts";
import type { Registry } from "../registry/registry.ts";
import { parseRoute, type Route } from "../registry/route.ts";
import type { ContentDigest } from "../storage/content-digest.ts";
import { parseOutsideAddress } from "./address.ts";
import { eraseAt } from "./erase.ts";
import { gatewayStatus, sendOutsideError } from "./failures.ts";
import { passBlob, passBlobDelete } from "./pass-blobs.ts";
import type { Pass } from "./pass-exchange.ts";
import { passReferrers, passTags } from "./pass-listings.ts";
import { passManifest, passManifestDelete, passManifestPush } from "./pass-manifests.ts";
import { passChunk, passUploadBegin, passUploadCancel, passUploadEnd, passUploadStatus } from "./pass-uploads.ts";
import { UploadPlaces } from "./upload-places.ts";
import { Upstreams } from "./upstream.ts";

export interface OutsideRegistryOptions
  extends Pick<RegistryOptions, "authorize" | "callerOf" | "admits" | "onPush" | "onError" | "clock"> {
  /** `https://host[:port]`, with a path where all repositories lie below a name there. Without credentials. */
  readonly url: string;
  /** What is sent to it, and to nobody else. */
  readonly credentials?: Pick<CredentialOptions, "username" | "token">;
  /** Origins besides its own that may be given the credentials in exchange for a token. */
  readonly realms?: readonly string[];
  /** Lets credentials travel over plain HTTP beyond this machine. */
  readonly insecureHttp?: boolean;
  /** The longest silence of the registry, in milliseconds; 30 s by default. */
  readonly timeout?: number;
}

export interface OutsideRegistry extends Registry {
  /** Where it is, with the name below which repositories lie. */
  readonly url: string;
  /** Why it last failed; undefined as long as it answers. */
  readonly problem: string | undefined;
  /** Whether a blob or manifest is there. */
  has(repository: string, digest: ContentDigest): Promise<boolean>;
}

/**
 * Another registry, Tally's or anybody's, in the place of the built-in one. Requests are decided on here, by the same rules, and
 * carried out there with credentials of our own: callers never see those, nor does the registry see theirs. Nothing that it
 * answers is believed: manifests and whole blobs are checked against their digests before they are passed on.
 *
 * Throws `name-invalid` for a URL that is none, `unauthorized` where credentials would travel unencrypted.
 */
export function createOutsideRegistry(options: OutsideRegistryOptions): OutsideRegistry {
  const address = parseOutsideAddress(options.url);
  const { credentials, realms, insecureHttp, timeout } = options;
  const upstreams = new Upstreams(address, {
    ...credentials,
    ...(realms === undefined ? {} : { realms }),
    ...(insecureHttp === undefined ? {} : { insecureHttp }),
    ...(timeout === undefined ? {} : { timeout }),
  });
  // Said now, not at the first request.
  upstreams.of("check");
  const places = new UploadPlaces(options.clock ?? Date);
  let problem: string | undefined;

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    res.setHeader("Docker-Distribution-API-Version", "registry/2.0");
    res.setHeader("X-Content-Type-Options", "nosniff");
    const url = new URL(req.url ?? "", "http://registry.invalid");
    const route = parseRoute(url.pathname);
    const handler = handlerOf(req.method ?? "", route);
    const repository = "repository" in route ? route.repository : "";
    await requireAccess(options, req, repository, handler.action);
    if (route.kind === "ping") return sendEmpty(res, 200);
    const upstream = upstreams.of(repository);
    await handler.run({ req, res, query: url.searchParams, repository, upstream, upstreams, places, options });
    problem = undefined;
  }

  return {
    url: options.url,
    get problem() {
      return problem;
    },
    repository: (name) => upstreams.of(name).client,
    async has(repository, digest) {
      const { name, transport, client } = upstreams.of(repository);
      if (await client.hasBlob(digest)) return true;
      const doing = `looking for manifest ${digest} in ${name}`;
      const call = { method: "HEAD", url: `/v2/${name}/manifests/${digest}`, doing } as const;
      const reply = await transport.call(call, 200, 404);
      await discard(reply);
      return reply.response.status === 200;
    },
    ...notHere(address.origin),
    eraseBlob: (repository, digest, manifest) => eraseAt(upstreams.of(repository), digest, manifest),
    async handle(req, res) {
      try {
        await answer(req, res);
      } catch (error) {
        const theirs = gatewayStatus(error, req.method ?? "") !== undefined;
        if (theirs) problem = (error as Error).message;
        const known = error instanceof Refusal || error instanceof OciError;
        if ((theirs || !known) && !res.destroyed) options.onError?.(error, req);
        sendOutsideError(res, error, address.origin, req.method ?? "");
      }
    },
  };
}

/** What a registry decides over its own storage is not ours to decide. */
function notHere(origin: string): Pick<Registry, "collect" | "retention" | "quotas"> {
  const refuse = (what: string): never => {
    throw new OciError("refused", `this plane's registry is ${origin}, and ${what} is not decided here`, {
      hint: "set it at that registry",
    });
  };
  const retention = async () => refuse("what is written once");
  const quotas = async () => refuse("how much a repository may hold");
  return {
    // biome-ignore lint/correctness/useYield: it has nothing to say but that it will not
    collect: async function* () {
      refuse("what is collected");
    },
    retention: { list: retention, set: retention },
    quotas: { list: quotas, set: quotas, remove: quotas },
  };
}

interface Handler {
  readonly action: RegistryAction;
  run(pass: Pass): Promise<void>;
}

/** Which function passes on which method of which path, and what the caller must be allowed to do for it. */
function handlerOf(method: string, route: Route): Handler {
  const handlers = handlersOf(route);
  const name = method === "HEAD" ? "GET" : method;
  const handler = Object.hasOwn(handlers, name) ? handlers[name] : undefined;
  if (handler !== undefined) return handler;
  throw new Refusal(405, "UNSUPPORTED", `${method} is not a method of this endpoint`, {
    headers: { Allow: Object.keys(handlers).join(", ") },
  });
}

function handlersOf(route: Route): Record<string, Handler> {
  switch (route.kind) {
    case "ping":
      return { GET: { action: "pull", run: async () => {} } };
    case "blob":
      return {
        GET: { action: "pull", run: (pass) => passBlob(pass, route.digest) },
        DELETE: { action: "delete", run: (pass) => passBlobDelete(pass, route.digest) },
      };
    case "uploads":
      return { POST: { action: "push", run: passUploadBegin } };
    case "upload":
      return {
        GET: { action: "push", run: (pass) => passUploadStatus(pass, route.id) },
        PATCH: { action: "push", run: (pass) => passChunk(pass, route.id) },
        PUT: { action: "push", run: (pass) => passUploadEnd(pass, route.id) },
        DELETE: { action: "push", run: (pass) => passUploadCancel(pass, route.id) },
      };
    case "manifest":
      return {
        GET: { action: "pull", run: (pass) => passManifest(pass, route.reference) },
        PUT: { action: "push", run: (pass) => passManifestPush(pass, route.reference) },
        DELETE: { action: "delete", run: (pass) => passManifestDelete(pass, route.reference) },
      };
    case "tags":
      return { GET: { action: "pull", run: passTags } };
    case "referrers":
      return { GET: { action: "pull", run: (pass) => passReferrers(pass, route.digest) } };
  }
}
