import { rm, stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Clock } from "@tally/ledger";
import type { ConfigOverrides } from "../config.ts";
import { type Device, openDevice } from "../device.ts";
import { EdgeError, messageOf } from "../error.ts";
import { requireLocalProgram, sendError, sendJson } from "./exchange.ts";
import { type ListenAddress, parseListenAddress } from "./listen-address.ts";
import { AgentRoutes } from "./routes.ts";
import { type OnRound, SyncLoop } from "./sync-loop.ts";

export interface AgentOptions {
  readonly dir: string;
  /** `127.0.0.1:7410`, `[::1]:7410` or `unix:/run/tally.sock`. Default a free loopback port. */
  readonly listen?: string;
  readonly config?: ConfigOverrides;
  readonly clock?: Clock;
  /** Told of each sync that the agent made by itself. */
  readonly onRound?: OnRound;
  /** Signals that end the agent in good order. Default SIGTERM and SIGINT. */
  readonly signals?: readonly NodeJS.Signals[];
}

export interface Agent {
  readonly device: Device;
  /** Where it listens: a URL, or `unix:<path>`. */
  readonly address: string;
  /** Finishes what was asked, seals, and lets go of the folder. */
  close(): Promise<void>;
  /** Settles when the agent has ended, by whatever way. */
  readonly closed: Promise<void>;
}

/**
 * Runs a device for programs in any language: an HTTP endpoint on this machine (docs/agent.md), a sync now and then.
 *
 * @throws EdgeError as `openDevice`; `listen-refused` when the address is not local or is taken.
 */
export async function runAgent(options: AgentOptions): Promise<Agent> {
  const { dir, listen = "127.0.0.1:0", config, clock, onRound = () => {}, signals = ["SIGTERM", "SIGINT"] } = options;
  const wanted = parseListenAddress(listen);
  const device = await openDevice({ dir, ...(config && { config }), ...(clock && { clock }) });
  const server = serverOf(new AgentRoutes(device));
  let address: string;
  try {
    address = await listenAt(server, wanted);
  } catch (error) {
    await device.close();
    throw error;
  }
  const loop = new SyncLoop(device, device.core.config.syncEveryMs, onRound);
  const ended = Promise.withResolvers<void>();
  ended.promise.catch(() => {});
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= shutDown(server, loop, device, wanted).finally(() => {
      for (const signal of signals) process.off(signal, onSignal);
    });
    closing.then(ended.resolve, ended.reject);
    return closing;
  };
  const onSignal = () => void close().catch(() => {});
  for (const signal of signals) process.once(signal, onSignal);
  loop.start();
  return Object.freeze({ device, address, close, closed: ended.promise });
}

function serverOf(routes: AgentRoutes): Server {
  const server = createServer((request, response) => void answer(routes, request, response));
  server.headersTimeout = 10_000;
  server.requestTimeout = 60_000;
  server.keepAliveTimeout = 5_000;
  server.maxRequestsPerSocket = 0;
  return server;
}

async function answer(routes: AgentRoutes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    requireLocalProgram(request);
    sendJson(response, await routes.answer(request));
  } catch (error) {
    sendError(request, response, error);
  }
}

async function listenAt(server: Server, wanted: ListenAddress): Promise<string> {
  if (wanted.kind === "unix") await removeStaleSocket(wanted.path);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(
        new EdgeError("listen-refused", `the agent cannot listen: ${messageOf(cause)}`, {
          cause,
          hint: "use another port or path",
        }),
      ),
    );
    if (wanted.kind === "unix") listenPrivately(server, wanted.path, resolve);
    else server.listen(wanted.port, wanted.host, resolve);
  });
  if (wanted.kind === "unix") return `unix:${wanted.path}`;
  const { port } = server.address() as AddressInfo;
  return `http://${wanted.host === "::1" ? "[::1]" : wanted.host}:${port}`;
}

/** The socket is made within the call, so there is no moment at which others may open it. */
function listenPrivately(server: Server, path: string, listening: () => void): void {
  const before = process.umask(0o177);
  try {
    server.listen(path, listening);
  } finally {
    process.umask(before);
  }
}

/** A killed agent leaves its socket behind. The device's folder is ours by now, so nobody serves it. */
async function removeStaleSocket(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw new EdgeError("listen-refused", `${path} exists and is no socket`);
  await rm(path);
}

async function shutDown(server: Server, loop: SyncLoop, device: Device, wanted: ListenAddress): Promise<void> {
  loop.stop();
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  await closed;
  if (wanted.kind === "unix") await rm(wanted.path, { force: true });
  await device.close();
}
