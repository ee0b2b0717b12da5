// What a device needs of a plane, from the real parts of the rooms below: logs, mirror and registry behind a real server.
// It keeps no roles and no database; everything that a device verifies is really signed and really proven.

import { createPublicKey, randomBytes, verify } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import {
  type ChannelResponse,
  type Digest,
  decodeEntry,
  digestOf,
  type EnrollRequest,
  type Envelope,
  type EpochRequest,
  type Erasure,
  encodeEntry,
  erasureType,
  fromBase64,
  generatePrivateKeyPem,
  type KeySet,
  noteSignerFromPem,
  parseEnvelope,
  parseErasure,
  parseNote,
  requireDeviceSignature,
  type SessionRequest,
  sessionMessage,
  subjectDigests,
  toBase64,
  utf8,
  verifyAllOf,
} from "@tally/evidence";
import { type Conflict, Ledger, Mirror, type ProtocolResponse } from "@tally/ledger";
import { createRegistry, type Database, FileBlobStore, openSqlite, type Registry } from "@tally/oci";
import { makePlaneKeys, type PlaneKeys } from "./plane-keys.ts";

interface Channel {
  readonly manifest: Digest;
  readonly sequence: number;
  readonly release: Digest;
  readonly statements: readonly Digest[];
}

/** A plane on a loopback port. */
export class LoopbackPlane {
  readonly keys: PlaneKeys;
  readonly log: Ledger;
  readonly mirror: Mirror;
  /** What was offered and contradicts. */
  readonly conflicts: Conflict[] = [];
  /** Blobs that devices brought. */
  readonly blobs = new Map<string, Uint8Array>();
  /** Key sets of enrolled origins. */
  readonly devices = new Map<string, KeySet>();
  readonly blocked = new Map<string, string>();
  /** New epochs that were asked for and that `accept` has not let in, with what each was asked with. */
  readonly awaiting = new Map<string, { readonly keySet: KeySet; readonly request: EpochRequest }>();
  /** What each channel leads to; tests set it to what they like. */
  readonly channels = new Map<string, Channel>();
  /** `METHOD path` of every request. */
  readonly requests: string[] = [];
  /** Answers instead of the plane when it returns true. */
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean = () => false;
  readonly #statements = new Map<Digest, { envelope: Envelope; index: number }>();
  readonly #tokens = new Set<string>(["enrol"]);
  readonly #registry: Registry;
  readonly #db: Database;
  #server: Server | undefined;
  #port = 0;

  private constructor(keys: PlaneKeys, log: Ledger, mirror: Mirror, registry: Registry, db: Database) {
    this.keys = keys;
    this.log = log;
    this.mirror = mirror;
    this.#registry = registry;
    this.#db = db;
  }

  static async open(dir: string): Promise<LoopbackPlane> {
    const keys = makePlaneKeys();
    const origin = `${keys.name}/log`;
    const log = await Ledger.open({ dir: join(dir, "log"), origin, signers: keys.log, checkpointTime: "clock" });
    log.append(encodeEntry({ kind: "event", time: 0, code: 1, fields: new Map() }));
    await log.seal();
    const signer = (name: string) => [noteSignerFromPem(`${keys.name}/${name}`, 4, generatePrivateKeyPem("ed25519"))];
    const admission = (asked: string) => plane.#admission(asked);
    const conflict = async (found: Conflict) => plane.#convict(found);
    const mirror = await Mirror.open({
      dir: join(dir, "mirror"),
      witness: signer("witness"),
      mirror: signer("mirror"),
      keySet: admission,
      onConflict: conflict,
    });
    const db = await openSqlite(join(dir, "registry.db"));
    const blobs = new FileBlobStore(join(dir, "blobs"));
    const registry = createRegistry({ blobs, db, authorize: async () => undefined });
    const plane: LoopbackPlane = new LoopbackPlane(keys, log, mirror, registry, db);
    await plane.start();
    return plane;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Becomes reachable, at the same address as before. */
  async start(): Promise<void> {
    this.#server = createServer((request, response) => {
      this.requests.push(`${request.method} ${request.url}`);
      if (this.intercept(request, response)) return;
      this.#answer(request, response).catch((error: Error) => sendError(response, error));
    });
    await new Promise<void>((resolve) => this.#server!.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Becomes unreachable. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    server?.closeAllConnections();
    await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
  }

  async close(): Promise<void> {
    await this.stop();
    await Promise.all([this.log.close(), this.mirror.close()]);
    await this.#db.close();
  }

  /** Lets a new epoch in. */
  accept(origin: string): void {
    this.devices.set(origin, this.awaiting.get(origin)!.keySet);
    this.awaiting.delete(origin);
  }

  /** Puts a statement in the log and seals it. */
  async logStatement(envelope: Envelope): Promise<void> {
    const { statement, digest } = envelope;
    const entry = encodeEntry({
      kind: "statement",
      time: Date.now(),
      envelope: digest,
      predicateType: statement.predicateType,
      subjects: subjectDigests(statement),
    });
    const { index } = this.log.append(entry);
    await this.log.seal();
    this.#statements.set(digest, { envelope, index });
  }

  /** The answer about a channel as it is now. */
  async channelAnswer(channel: string, pinned: number): Promise<ChannelResponse> {
    const { manifest, sequence, release, statements } = this.channels.get(channel)!;
    const { checkpoint, note } = this.log.latest!;
    const b64 = (hashes: readonly Uint8Array[]) => hashes.map(toBase64);
    return {
      channel,
      manifest,
      sequence,
      release,
      checkpoint: note,
      consistency: b64(await this.log.consistencyProof(pinned, checkpoint.size)),
      statements: await Promise.all(
        statements.map(async (digest) => {
          const { envelope, index } = this.#statements.get(digest)!;
          return {
            digest,
            envelope: toBase64(envelope.bytes),
            index,
            entry: toBase64(await this.log.entry(index)),
            proof: b64(await this.log.inclusionProof(index, checkpoint.size)),
          };
        }),
      ),
    };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname: path, searchParams } = new URL(request.url ?? "", this.url);
    if (path.startsWith("/v2/")) return this.#registry.handle(request, response);
    if (path === "/api/v1/sessions/nonce") return sendJson(response, { nonce: randomBytes(16).toString("hex") });
    if (path === "/api/v1/sessions") return this.#openSession(response, (await jsonOf(request)) as SessionRequest);
    if (!this.#tokens.has((request.headers.authorization ?? "").replace("Bearer ", ""))) {
      throw new Refused(401, "unauthorized", "no token that this plane knows");
    }
    if (path === "/api/v1/genesis") {
      return sendJson(response, { plane: this.keys.name, checkpoint: this.log.latest!.note });
    }
    if (path === "/api/v1/enroll") return this.#enroll(response, (await jsonOf(request)) as EnrollRequest);
    if (path === "/add-checkpoint") return send(response, await this.mirror.addCheckpoint(await bytesOf(request)));
    if (path === "/add-entries") return send(response, await this.mirror.addEntries(inflated(request)));
    if (path.startsWith("/mirror/")) return send(response, await this.mirror.read(path.slice("/mirror/".length)));
    if (path.startsWith("/witness/"))
      return send(response, await this.mirror.readWitness(path.slice("/witness/".length)));
    if (/^\/api\/v1\/devices\/[0-9a-f]+\/epochs$/.test(path)) {
      return this.#askEpoch(response, (await jsonOf(request)) as EpochRequest);
    }
    if (path === "/log/checkpoint") return sendText(response, this.log.latest!.note);
    if (path.startsWith("/log/tile/")) {
      const tile = await this.log.tile(path.slice("/log/".length), this.log.size);
      if (tile === undefined) throw new Refused(404, "not-found", path);
      response.end(tile);
      return;
    }
    if (path.startsWith("/api/v1/blobs/")) return this.#putBlob(response, path.slice(14), await bytesOf(request));
    if (path === "/api/v1/statements") return this.#takeErasure(response, await bytesOf(request));
    if (path.startsWith("/api/v1/channels/")) {
      const channel = path.slice("/api/v1/channels/".length).replace(/\/([^/]+)$/, ":$1");
      if (!this.channels.has(channel)) throw new Refused(404, "not-found", `no channel ${channel}`);
      return sendJson(response, await this.channelAnswer(channel, Number(searchParams.get("pinned"))));
    }
    throw new Refused(404, "not-found", path);
  }

  #openSession(response: ServerResponse, { origin, nonce, signature }: SessionRequest): void {
    const key = this.devices.get(origin)?.find(({ type }) => type === 1);
    if (this.awaiting.has(origin)) throw new Refused(404, "awaiting-acceptance", `${origin} awaits acceptance`);
    if (key === undefined) throw new Refused(403, "forbidden", `${origin} is not enrolled`);
    const blocked = this.blocked.get(origin);
    if (blocked !== undefined) throw new Refused(403, "blocked", `${origin} is blocked: ${blocked}`);
    const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), key.publicKey]);
    const publicKey = createPublicKey({ key: spki, format: "der", type: "spki" });
    if (!verify(null, utf8(sessionMessage(origin, nonce)), publicKey, fromBase64(signature))) {
      throw new Refused(403, "forbidden", "the nonce is not signed by the device");
    }
    const token = `tly_${randomBytes(8).toString("hex")}`;
    this.#tokens.add(token);
    sendJson(response, { token, expires: Date.now() + 3_600_000 });
  }

  #enroll(response: ServerResponse, { origin, genesis, checkpoint }: EnrollRequest): void {
    const entry = decodeEntry(fromBase64(genesis));
    if (entry.kind !== "genesis") throw new Refused(400, "bad-request", "no genesis entry");
    verifyAllOf(parseNote(checkpoint), origin, entry.keySet);
    this.devices.set(origin, entry.keySet);
    sendJson(response, { origin, index: this.devices.size });
  }

  #askEpoch(response: ServerResponse, request: EpochRequest): void {
    const { origin, genesis, checkpoint } = request;
    const entry = decodeEntry(fromBase64(genesis));
    if (entry.kind !== "genesis") throw new Refused(400, "bad-request", "no genesis entry");
    verifyAllOf(parseNote(checkpoint), origin, entry.keySet);
    this.awaiting.set(origin, { keySet: entry.keySet, request });
    sendJson(response, { origin, state: "awaiting" });
  }

  /** As a plane does with a device's erasure: it must be the device's word, and its layers go. */
  async #takeErasure(response: ServerResponse, bytes: Uint8Array): Promise<void> {
    const envelope = parseEnvelope(bytes);
    const erasure = parseErasure(envelope.statement);
    requireDeviceSignature(envelope, this.devices.get(erasure.origin)!);
    if (!this.#statements.has(envelope.digest)) await this.logStatement(envelope);
    for (const { manifest, layers } of erasure.segments) {
      for (const layer of layers) await this.#registry.eraseBlob("tiny", layer, manifest);
    }
    sendJson(response, { digest: envelope.digest, index: this.#statements.get(envelope.digest)!.index });
  }

  /** Erasures that devices have stated, oldest first. */
  get erasures(): readonly { readonly digest: Digest; readonly erasure: Erasure }[] {
    return [...this.#statements.values()].flatMap(({ envelope }) =>
      envelope.statement.predicateType === erasureType
        ? [{ digest: envelope.digest, erasure: parseErasure(envelope.statement) }]
        : [],
    );
  }

  #putBlob(response: ServerResponse, digest: string, bytes: Uint8Array): void {
    if (digestOf(bytes) !== digest) throw new Refused(400, "bad-request", "the blob has another digest");
    this.blobs.set(digest, bytes);
    sendJson(response, {});
  }

  #admission(origin: string): KeySet | undefined | { blocked: string } {
    const blocked = this.blocked.get(origin);
    return blocked === undefined ? this.devices.get(origin) : { blocked };
  }

  #convict(conflict: Conflict): void {
    this.conflicts.push(conflict);
    this.blocked.set(conflict.origin, conflict.kind);
  }
}

async function bytesOf(request: IncomingMessage): Promise<Uint8Array> {
  return new Uint8Array(Buffer.concat(await request.toArray()));
}

async function jsonOf(request: IncomingMessage): Promise<unknown> {
  return JSON.parse(Buffer.from(await bytesOf(request)).toString());
}

async function* inflated(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  yield gunzipSync(await bytesOf(request));
}

function send(response: ServerResponse, { status, headers, body }: ProtocolResponse): void {
  response.writeHead(status, headers).end(body);
}

function sendText(response: ServerResponse, text: string): void {
  response.writeHead(200, { "content-type": "text/plain; charset=utf-8" }).end(text);
}

function sendJson(response: ServerResponse, value: object): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

function sendError(response: ServerResponse, error: Error): void {
  const { status, code } = error instanceof Refused ? error : { status: 500, code: "internal" };
  const body = JSON.stringify({ error: { code, message: error.message } });
  response.writeHead(status, { "content-type": "application/json" }).end(body);
}

class Refused extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}
