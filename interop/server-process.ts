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

/** Starts a server, waits until the port on loopback takes connections, and ends it with the test. */
export async function startServer(
  t: TestContext,
  command: string,
  args: readonly string[],
  port: number,
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
  for (let waited = 0; !(await listens(port)); waited += 1) {
    if (gone || waited > 600) throw new Error(`${command} does not listen on port ${port}: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { said: () => said, stop };
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
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
