import type { IncomingMessage, ServerResponse } from "node:http";
import { envelopeMediaType } from "@tally/evidence";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { PlaneError } from "../error.ts";
import { errorBody } from "./error-answer.ts";

/** JSON as JSON; every other body as bytes; uploads of entries and of the registry untouched, as a stream. */
export function readBodies(app: FastifyInstance): void {
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

/** A body that trickles in keeps its connection for no longer than this: a silent one is not the only slow one. */
export function limitBody({ raw }: FastifyRequest, reply: FastifyReply, ms: number): void {
  if (raw.method === "GET" || raw.complete) return;
  const timer = setTimeout(() => {
    if (raw.complete) return;
    const body = errorBody("too-slow", `the body was not there within ${ms / 1000} s`);
    if (!reply.sent) void reply.code(408).header("connection", "close").send(body);
    else raw.destroy();
  }, ms).unref();
  // A body that nobody reads to its end closes with its answer.
  for (const ended of [raw, reply.raw]) ended.once("close", () => clearTimeout(timer));
}

/**
 * What is still being sent after the answer is read and dropped for so long, and not for ever: it needs no token. Node does not
 * tell whoever still reads the body that its connection has gone, once it has been answered: it would wait with an open file.
 */
export function endUnreadBodies(request: IncomingMessage, response: ServerResponse, ms: number): void {
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
