import {
  type Digest,
  envelopeMediaType,
  fleetDecisionType,
  keyRotationType,
  matchesRepository,
  parseDigest,
  parseEnvelope,
  type QuarantineItem,
  toBase64,
  touches,
} from "@tally/evidence";
import { PlaneError } from "../../error.ts";
import type { PlaneParts } from "../../parts.ts";
import { digest, numberOf, object, type Route, text } from "../route.ts";

const readers = ["admin", "publisher", "approver", "auditor", "scientist"] as const;
const maxBlobBytes = 16_000_000;

type ByteStream = AsyncIterable<Uint8Array>;

/** Statements, channels, lineage, and blobs that entries name. */
export function statementRoutes(parts: PlaneParts): readonly Route[] {
  const { statements, decisions, channels, lineage, quarantines, sealer, checkpoints, blobs, quota, deviceBlobs } =
    parts;
  return [
    {
      method: "POST",
      url: "/api/v1/statements",
      access: ["admin", "publisher", "approver", "scientist", "device"],
      summary: "add a signed statement to the plane's log; the body is its DSSE envelope. A device adds erasures",
      tag: "statements",
      async handle(request, reply) {
        if (!Buffer.isBuffer(request.body)) {
          throw new PlaneError("bad-request", `send the envelope's bytes as ${envelopeMediaType}`);
        }
        reply.code(201);
        if (isDecision(request.body)) {
          const decided = await decisions.take(request.body, request.bearer!);
          // A verifier learns of it from the next heads: better now than with the next round.
          await sealer.upToDate();
          return decided;
        }
        const { role, repository, origin } = request.bearer!;
        const added = await statements.add(request.body, role, repository, origin);
        // A device is told when every answer from then on can prove its erasure; without an answer it brings it again.
        if (role === "device") await sealer.covering(added.index);
        return added;
      },
    },
    {
      method: "GET",
      url: "/api/v1/statements",
      access: [...readers, "device"],
      summary: "statements by subject and type",
      tag: "statements",
      schema: { querystring: object({ subject: digest, type: text }, []) },
      async handle(request) {
        const { subject, type } = request.query as { subject?: Digest; type?: string };
        return { statements: await statements.list({ ...(subject && { subject }), ...(type && { type }) }) };
      },
    },
    {
      method: "GET",
      url: "/api/v1/statements/:digest",
      access: [...readers, "device"],
      summary: "a statement's envelope, as it was signed",
      tag: "statements",
      schema: { params: object({ digest }) },
      async handle(request, reply) {
        const envelope = await statements.envelope(parseDigest((request.params as { digest: string }).digest));
        return reply.type(envelopeMediaType).send(Buffer.from(envelope));
      },
    },
    {
      method: "GET",
      url: "/api/v1/statements/:digest/proof",
      access: [...readers, "device"],
      summary:
        "proof that a statement is in the plane's log, under the newest cosigned checkpoint; with when=logged under the first that covers it, and the last before it",
      tag: "statements",
      schema: { params: object({ digest }), querystring: object({ when: { enum: ["logged"] } }, []) },
      async handle(request) {
        const envelope = parseDigest((request.params as { digest: string }).digest);
        const { when } = request.query as { when?: "logged" };
        const row = await statements.row(envelope);
        if (row === undefined) throw new PlaneError("not-found", `the plane's log has no statement ${envelope}`);
        await sealer.covering(row.index);
        const under = when === undefined ? checkpoints.log.newest() : checkpoints.log.firstCovering(row.index);
        const { size, note: stored } = (await under)!;
        const { entry, leaf, proof } = await statements.proof(envelope, size);
        const note = Buffer.from(await checkpoints.log.bytes(stored)).toString("utf8");
        const before = when === undefined ? undefined : await beforeEntry(parts, row.index, size);
        return {
          ...(before !== undefined && { before }),
          index: row.index,
          size,
          entry: toBase64(entry),
          leaf: toBase64(leaf),
          proof: proof.map((hash) => toBase64(hash)),
          checkpoint: note,
        };
      },
    },
    {
      method: "GET",
      url: "/api/v1/channels/*",
      access: [...readers, "device"],
      summary:
        "what a channel leads to now, with every statement a device needs: /api/v1/channels/<repository>/<channel>",
      tag: "statements",
      schema: { querystring: object({ pinned: { type: "string", pattern: "^[0-9]{1,16}$" } }, []) },
      async handle(request) {
        const path = (request.params as { "*": string })["*"];
        const slash = path.lastIndexOf("/");
        if (slash < 1)
          throw new PlaneError("bad-request", "name the repository and the channel: <repository>/<channel>");
        const channel = `${path.slice(0, slash)}:${path.slice(slash + 1)}`;
        const latest = await channels.latestIndex(channel);
        if (latest !== undefined) await sealer.covering(latest);
        const newest = await checkpoints.log.newest();
        if (newest === undefined) throw new PlaneError("not-ready", "no checkpoint has been cosigned yet: try again");
        const note = Buffer.from(await checkpoints.log.bytes(newest.note)).toString("utf8");
        const pinned = numberOf((request.query as { pinned?: string }).pinned) ?? 0;
        return channels.resolve(channel, pinned, { size: newest.size, note });
      },
    },
    {
      method: "GET",
      url: "/api/v1/lineage/:digest",
      access: readers,
      summary: "what an artifact was made from, as signed statements say",
      tag: "statements",
      schema: { params: object({ digest }) },
      async handle(request) {
        return lineage.of(parseDigest((request.params as { digest: string }).digest));
      },
    },
    {
      method: "GET",
      url: "/api/v1/models/:digest",
      access: readers,
      summary: "the repository that a model lies in, as signed statements say",
      tag: "statements",
      schema: { params: object({ digest }) },
      async handle(request) {
        const model = parseDigest((request.params as { digest: string }).digest);
        return { model, repository: await statements.repositoryOf(model) };
      },
    },
    {
      method: "GET",
      url: "/api/v1/data",
      access: ["admin", "scientist", "auditor"],
      summary: "segments of device ledgers that hold a model's records",
      tag: "statements",
      schema: { querystring: object({ model: digest }) },
      async handle(request) {
        const model = parseDigest((request.query as { model: string }).model);
        const repository = await statements.repositoryOf(model);
        const segments = await lineage.segmentsOf(model, repository);
        const concerns = ({ what, repositories }: QuarantineItem) =>
          repositories.some((pattern) => matchesRepository(pattern, repository)) &&
          ((what.kind === "model" && what.manifest === model) || segments.some((range) => touches(what, range)));
        return { model, repository, segments, quarantines: (await quarantines.list()).filter(concerns) };
      },
    },
    {
      method: "GET",
      url: "/api/v1/quarantines",
      access: [...readers, "device"],
      summary: "what is under quarantine, and what was, as signed statements say",
      tag: "statements",
      schema: { querystring: object({ subject: digest }, []) },
      async handle(request) {
        const { subject } = request.query as { subject?: Digest };
        return { quarantines: await quarantines.list(subject) };
      },
    },
    {
      method: "PUT",
      url: "/api/v1/blobs/:digest",
      access: ["device", "publisher", "admin"],
      summary: "store bytes that an entry is going to name",
      tag: "statements",
      bodyLimit: maxBlobBytes,
      large: true,
      streams: true,
      schema: { params: object({ digest }) },
      async handle(request, reply) {
        const wanted = parseDigest((request.params as { digest: string }).digest);
        const { bearer, body, raw } = request;
        if (body !== undefined && !Buffer.isBuffer(body)) {
          throw new PlaneError("bad-request", "send the bytes as application/octet-stream");
        }
        const source = body !== undefined ? [body] : (raw.iterator({ destroyOnReturn: false }) as ByteStream);
        const device = bearer?.origin ?? null;
        if (device !== null) await deviceBlobs.noted(device, wanted);
        const { size } = await (device === null ? blobs : deviceBlobs.blobs).put(
          wanted,
          upTo(maxBlobBytes, source, (bytes) => {
            if (device === null || quota.take(device, bytes)) return;
            throw new PlaneError("too-large", "this device has stored as much today as it may", {
              hint: "an operator may allow more; tomorrow it goes on",
            });
          }),
        );
        reply.code(201);
        return { digest: wanted, size };
      },
    },
    {
      method: "GET",
      url: "/api/v1/blobs/:digest",
      access: ["admin", "auditor", "publisher", "approver"],
      summary: "stored bytes by digest",
      tag: "statements",
      schema: { params: object({ digest }) },
      async handle(request, reply) {
        const wanted = parseDigest((request.params as { digest: string }).digest);
        if ((await blobs.has(wanted)) === undefined)
          throw new PlaneError("not-found", `no blob ${wanted} is stored here`);
        return reply.type("application/octet-stream").send((await blobs.get(wanted)).stream);
      },
    },
  ];
}

/** The last checkpoint that does not cover an entry, and that the one of `size` continues it. */
async function beforeEntry({ checkpoints, logs }: PlaneParts, index: number, size: number) {
  const before = await checkpoints.log.lastBelow(index);
  if (before === undefined || before.size === 0) return undefined;
  const proof = await logs.log.consistencyProof(before.size, size);
  const checkpoint = Buffer.from(await checkpoints.log.bytes(before.note)).toString("utf8");
  return { checkpoint, proof: proof.map((hash) => toBase64(hash)) };
}

function isDecision(envelope: Uint8Array): boolean {
  try {
    const { predicateType } = parseEnvelope(envelope).statement;
    return predicateType === fleetDecisionType || predicateType === keyRotationType;
  } catch {
    return false; // what it is not is said by whoever takes it
  }
}

/** The bytes as they come, as long as there are no more than `most` and `count` has nothing against them. */
async function* upTo(
  most: number,
  source: ByteStream | Iterable<Uint8Array>,
  count: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let length = 0;
  for await (const chunk of source) {
    length += chunk.length;
    if (length > most) throw new PlaneError("too-large", `the body is larger than ${most} bytes`);
    count(chunk.length);
    yield chunk;
  }
}
