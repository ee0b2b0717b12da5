import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { MAX_ADD_CHECKPOINT_BYTES } from "./add-checkpoint-body.ts";
import { type ProtocolResponse, refusal } from "./response.ts";
import type { Witness } from "./witness.ts";

export interface WitnessServer {
  /** `http://127.0.0.1:4711`, without a slash at the end. */
  readonly url: string;
  /** Takes no new requests, answers those it has, then resolves. */
  close(): Promise<void>;
}

export interface ServeWitnessOptions {
  readonly witness: Witness;
  /** Default 127.0.0.1. A witness speaks plain HTTP; put a TLS proxy before it to serve others. */
  readonly host?: string;
  /** 0, the default, takes a free port. */
  readonly port?: number;
  /** Told of errors that are the witness's own; the client gets a 500 without details. */
  readonly onError?: (error: unknown) => void;
}

const HEADERS_TIMEOUT = 10_000;
const REQUEST_TIMEOUT = 30_000;

/** Serves a witness: `POST /add-checkpoint` and `GET /<hash of the origin>/checkpoint`. */
export async function serveWitness(options: ServeWitnessOptions): Promise<WitnessServer> {
  const { witness, host = "127.0.0.1", port = 0, onError = () => {} } = options;
  const limits = { headersTimeout: HEADERS_TIMEOUT, requestTimeout: REQUEST_TIMEOUT, keepAliveTimeout: 30_000 };
  const server = createServer({ ...limits, connectionsCheckingInterval: 5_000 }, (request, response) => {
    answer(witness, request)
      .catch((error: unknown) => {
        onError(error);
        return refusal(500, "the witness could not do this; try again later");
      })
      .then((result) => write(request, response, result, server.listening));
  });
  server.maxRequestsPerSocket = 1_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const { port: bound } = server.address() as AddressInfo;
  return { url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}`, close: () => closeServer(server) };
}

async function answer(witness: Witness, request: IncomingMessage): Promise<ProtocolResponse> {
  const path = (request.url ?? "/").split("?")[0]!.slice(1);
  if (path === "add-checkpoint") {
    if (request.method !== "POST") return refusal(405, "add-checkpoint takes POST");
    const body = await readBody(request, MAX_ADD_CHECKPOINT_BYTES);
    return body === undefined ? refusal(413, "the body is too large") : witness.addCheckpoint(body);
  }
  if (request.method !== "GET" && request.method !== "HEAD") return refusal(405, "this path takes GET");
  return witness.read(path);
}

async function readBody(request: IncomingMessage, limit: number): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > limit) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function write(
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers, body }: ProtocolResponse,
  keepAlive: boolean,
): void {
  const length = typeof body === "string" ? Buffer.byteLength(body) : body.length;
  // What was not read of a body would be taken for the next request.
  const connection = request.complete && keepAlive ? {} : { connection: "close" };
  response.writeHead(status, { ...headers, ...connection, "content-length": length });
  response.end(request.method === "HEAD" ? undefined : body);
}

function closeServer(server: ReturnType<typeof createServer>): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error === undefined ? resolve() : reject(error)));
    server.closeIdleConnections();
  });
}
