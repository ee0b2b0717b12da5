import {
  type LogReader,
  MAX_ADD_CHECKPOINT_BYTES,
  originHash,
  type ProtocolResponse,
  requestBody,
} from "@tally/ledger";
import type { FastifyReply, FastifyRequest } from "fastify";
import { PlaneError } from "../../error.ts";
import type { Checkpoints } from "../../log/checkpoints.ts";
import type { PlaneParts } from "../../parts.ts";
import type { Route } from "../route.ts";

const readers = ["admin", "publisher", "approver", "auditor", "scientist", "device"] as const;

/** C2SP: the mirror and witness of devices, and the plane's own logs as tiles. */
export function logRoutes({ logs, mirror, checkpoints, sealer }: PlaneParts): readonly Route[] {
  return [
    {
      method: "POST",
      url: "/add-checkpoint",
      access: ["device"],
      summary: "C2SP tlog-witness: a device's new checkpoint",
      tag: "logs",
      bodyLimit: MAX_ADD_CHECKPOINT_BYTES,
      async handle(request, reply) {
        if (!Buffer.isBuffer(request.body)) throw new PlaneError("bad-request", "send the request as text/plain");
        requireOwnOrigin(request, originOfOffer(request.body));
        return answerWith(reply, await mirror.addCheckpoint(request.body));
      },
    },
    {
      method: "POST",
      url: "/add-entries",
      access: ["device"],
      summary: "C2SP tlog-mirror: entries up to a device's pending checkpoint",
      tag: "logs",
      large: true,
      streams: true,
      async handle(request, reply) {
        const body = checkedUpload(request, requestBody(request.raw));
        return answerWith(reply, await mirror.addEntries(body));
      },
    },
    {
      method: "GET",
      url: "/mirror/*",
      access: readers,
      summary: "C2SP tlog-mirror: a mirrored ledger's checkpoint and tiles",
      tag: "logs",
      async handle(request, reply) {
        return answerWith(reply, await mirror.read(ownPath(request)));
      },
    },
    {
      method: "GET",
      url: "/witness/*",
      access: readers,
      summary: "C2SP tlog-witness: a device's pending checkpoint with the witness's cosignatures",
      tag: "logs",
      async handle(request, reply) {
        return answerWith(reply, await mirror.readWitness(ownPath(request)));
      },
    },
    ...(["log", "fleet"] as const).map(
      (which): Route => ({
        method: "GET",
        url: `/${which}/*`,
        access: readers,
        summary: `C2SP tlog-tiles: the plane's ${which === "log" ? "log of statements and heads" : "log of enrolments"}`,
        tag: "logs",
        async handle(request, reply) {
          const path = (request.params as { "*": string })["*"];
          if (path === "checkpoint" && which === "log") await sealer.refresh();
          return serveLog(reply, path, logs[which], checkpoints[which]);
        },
      }),
    ),
  ];
}

async function serveLog(reply: FastifyReply, path: string, log: LogReader, checkpoints: Checkpoints) {
  const newest = await checkpoints.newest();
  if (newest === undefined) throw new PlaneError("not-ready", "no checkpoint has been cosigned yet: try again");
  if (path === "checkpoint") {
    return reply.type("text/plain; charset=utf-8").send(Buffer.from(await checkpoints.bytes(newest.note)));
  }
  const tile = await log.tile(path, newest.size);
  if (tile === undefined)
    throw new PlaneError("not-found", `the log of size ${newest.size} has no ${path.slice(0, 200)}`);
  return reply.type("application/octet-stream").send(Buffer.from(tile));
}

function answerWith(reply: FastifyReply, { status, headers, body }: ProtocolResponse) {
  return reply
    .code(status)
    .headers(headers)
    .send(typeof body === "string" ? body : Buffer.from(body));
}

/** A device's token is for one ledger. */
function requireOwnOrigin({ bearer }: FastifyRequest, origin: string | undefined): void {
  if (origin === undefined || bearer?.origin === origin) return;
  throw new PlaneError("forbidden", `this token is of ${bearer?.origin}, the request is for ${origin.slice(0, 200)}`);
}

/** The path within the mirror. A device reads its own ledger: others' rates and models are not its business. */
function ownPath({ bearer, params }: FastifyRequest): string {
  const path = (params as { "*": string })["*"];
  if (bearer?.role !== "device" || path.startsWith(`${originHash(bearer.origin ?? "")}/`)) return path;
  throw new PlaneError("forbidden", "a device reads the mirror of its own ledger only");
}

function originOfOffer(body: Buffer): string | undefined {
  const blank = body.indexOf("\n\n");
  if (blank < 0) return undefined;
  const end = body.indexOf("\n", blank + 2);
  return end < 0 ? undefined : body.subarray(blank + 2, end).toString("utf8");
}

/** The upload, once the origin in its first bytes is known to be the token's. */
async function* checkedUpload(request: FastifyRequest, body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let head = Buffer.alloc(0);
  let checked = false;
  for await (const chunk of body) {
    if (checked) {
      yield chunk;
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < 2 || head.length < 2 + head.readUInt16BE(0)) continue;
    requireOwnOrigin(request, head.subarray(2, 2 + head.readUInt16BE(0)).toString("utf8"));
    checked = true;
    yield head;
  }
  if (!checked) yield head;
}
