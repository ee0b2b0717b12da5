import { Readable } from "node:stream";
import type { CollectDecision, CollectRequest, CollectSummary, QuotaBody, RetentionBody } from "@tally/evidence";
import { OciError, type Registry } from "@tally/oci";
import { PlaneError } from "../../error.ts";
import type { PlaneParts } from "../../parts.ts";
import { count, object, type Route, text } from "../route.ts";

const listed = 1000;
const bound = { anyOf: [count, { type: "null" }] } as const;

/** Keeping the registry in order: collection, write-once rules, quotas. */
export function registryRoutes({ registry, retentionRecord }: PlaneParts): readonly Route[] {
  return [
    {
      method: "POST",
      url: "/api/v1/registry/collect",
      access: ["admin"],
      summary:
        "remove from the registry what nothing needs, or say what would go; a JSON object a line, the last with a summary",
      tag: "registry",
      schema: {
        body: object(
          {
            dryRun: { type: "boolean" },
            untagged: { type: "boolean" },
            grace: { type: "integer", minimum: 1, maximum: 3650 * 86_400 },
            explain: { type: "boolean" },
          },
          [],
        ),
      },
      async handle(request, reply) {
        const { grace, ...asked } = request.body as CollectRequest;
        const decisions = registry.collect({ explain: false, ...asked, ...(grace && { graceMs: grace * 1000 }) });
        const first = await decisions.next().catch((error: unknown) => {
          throw refusedAs(error);
        });
        // A repository that all stays may take longer than a connection may otherwise be silent.
        request.raw.socket.setTimeout(0);
        reply.type("application/jsonl");
        return reply.send(Readable.from(linesOf(first, decisions)));
      },
    },
    {
      method: "GET",
      url: "/api/v1/registry/retention",
      access: ["admin", "auditor"],
      summary: "which repositories of the registry are written once, and for how long",
      tag: "registry",
      async handle() {
        const rules = await registry.retention.list().catch((error: unknown) => {
          throw refusedAs(error);
        });
        return { rules: rules.map(({ pattern, ms, since }) => ruleOf(pattern, ms, since)) };
      },
    },
    {
      method: "PUT",
      url: "/api/v1/registry/retention",
      access: ["admin"],
      summary:
        "write repositories once from now on: manifests and tags are neither deleted nor moved for so long; never shortened",
      tag: "registry",
      schema: {
        body: object({
          repository: text,
          seconds: { anyOf: [{ type: "integer", minimum: 1, maximum: 1000 * 366 * 86_400 }, { type: "null" }] },
        }),
      },
      async handle(request) {
        const { repository, seconds } = request.body as RetentionBody;
        const rule = await registry.retention
          .set(repository, seconds === null ? null : seconds * 1000)
          .catch((error) => {
            throw refusedAs(error);
          });
        await retentionRecord.rule(rule, request.headers.authorization);
        return ruleOf(rule.pattern, rule.ms, rule.since);
      },
    },
    {
      method: "GET",
      url: "/api/v1/registry/refusals",
      access: ["admin", "auditor"],
      summary: "deletions and moved tags that write-once rules refused, newest first",
      tag: "registry",
      async handle() {
        return { refusals: await retentionRecord.list(listed) };
      },
    },
    {
      method: "GET",
      url: "/api/v1/registry/quotas",
      access: ["admin", "auditor", "publisher"],
      summary: "what repositories of the registry may hold, and do",
      tag: "registry",
      async handle() {
        const quotas = await registry.quotas.list().catch((error: unknown) => {
          throw refusedAs(error);
        });
        return { quotas: quotas.map(({ pattern: repository, ...quota }) => ({ repository, ...quota })) };
      },
    },
    {
      method: "PUT",
      url: "/api/v1/registry/quotas",
      access: ["admin"],
      summary:
        "bound what the repositories of a pattern hold together, in bytes and manifests; without bounds the quota goes",
      tag: "registry",
      schema: { body: object({ repository: text, bytes: bound, manifests: bound }, ["repository"]) },
      async handle(request) {
        const { repository: pattern, bytes = null, manifests = null } = request.body as QuotaBody;
        if (bytes === null && manifests === null) {
          const removed = await registry.quotas.remove(pattern).catch((error: unknown) => {
            throw refusedAs(error);
          });
          if (!removed) throw new PlaneError("not-found", `there is no quota of ${pattern}`);
          return { repository: pattern, bytes, manifests };
        }
        const set = await registry.quotas.set({ pattern, bytes, manifests }).catch((error) => {
          throw refusedAs(error);
        });
        const { pattern: repository, ...quota } = set;
        return { repository, ...quota };
      },
    },
  ];
}

function ruleOf(repository: string, ms: number | null, since: number) {
  return { repository, seconds: ms === null ? null : ms / 1000, since };
}

async function* linesOf(
  first: IteratorResult<CollectDecision, void>,
  rest: ReturnType<Registry["collect"]>,
): AsyncGenerator<string> {
  const gone = { manifest: 0, blob: 0, bytes: 0 };
  let freed = 0;
  try {
    for (let next = first; !next.done; next = await rest.next()) {
      const { action, what, size } = next.value;
      if (action === "remove") {
        gone[what] += 1;
        if (what === "bytes") freed += size;
      }
      yield `${JSON.stringify(next.value)}\n`;
    }
    const summary: CollectSummary = { manifests: gone.manifest, blobs: gone.blob, files: gone.bytes, bytes: freed };
    yield `${JSON.stringify({ summary })}\n`;
  } finally {
    // Whoever asked may have gone.
    await rest.return();
  }
}

function refusedAs(error: unknown): unknown {
  if (!(error instanceof OciError)) return error;
  const { hint } = error;
  const more = { cause: error, ...(hint !== undefined && { hint }) };
  if (error.code === "busy" || error.code === "refused") return new PlaneError("conflict", error.message, more);
  if (error.code === "name-invalid") return new PlaneError("bad-request", error.message, more);
  return error;
}
