// Somebody else's server for the time of a test.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

export interface ServerProcess {
  /** What it said so far, stdout and stderr. */
  said(): string;
  stop(): Promise<void>;
}

/** Where a server listens: a port of loopback, or a socket. */
export type Place = { readonly port: number } | { readonly socket: string };

/** Starts a server, waits until it takes connections, and ends it with the test. */
export async function startServer(
  t: TestContext,
  command: string,
  args: readonly string[],
  place: Place,
  env: NodeJS.ProcessEnv = {},
): Promise<ServerProcess> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-100_000);
    });
  }
  const ended = new Promise<void>((resolve) => {
    child.on("exit", () => resolve());
    child.on("error", (error) => {
      said += String(error);
      resolve();
    });
  });
  const stop = async () => {
    child.kill("SIGKILL");
    await ended;
  };
  t.after(stop);
  let gone = false;
  void ended.then(() => {
    gone = true;
  });
  for (let waited = 0; !(await listens(place)); waited += 1) {
    if (gone || waited > 600) throw new Error(`${command} does not listen on ${Object.values(place)}: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { said: () => said, stop };
}

function listens(place: Place): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = "port" in place ? connect(place.port, "127.0.0.1") : connect(place.socket);
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

/** What `find` finds, once it does; asks for ten seconds. */
export async function until<T>(find: () => T | undefined): Promise<T> {
  for (let waited = 0; waited < 200; waited += 1) {
    const found = find();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("it did not come in ten seconds");
}

/** A port of loopback that was free a moment ago, for programs that cannot choose one themselves. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "tally-interop-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
