import type { FastifyInstance } from "fastify";
import type { PlaneParts } from "../parts.ts";
import { endSlowBody } from "./slow-body.ts";

/** The registry answers for itself below /v2, on raw requests. */
export function mountRegistry(app: FastifyInstance, { registry }: PlaneParts, bodyTimeoutMs: number): void {
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
