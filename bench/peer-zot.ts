import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

/** zot over a folder of its own, without deduplication or garbage collection, which would take time beside. */
export async function startZot(program: string, dir: string): Promise<{ url: string; stop(): Promise<void> }> {
  const port = await freePort();
  const config = join(dir, "config.json");
  await mkdir(join(dir, "storage"), { recursive: true });
  await writeFile(
    config,
    JSON.stringify({
      distSpecVersion: "1.1.1",
      storage: { rootDirectory: join(dir, "storage"), dedupe: false, gc: false },
      http: { address: "127.0.0.1", port: String(port) },
      log: { level: "error" },
    }),
  );
  const child = spawn(program, ["serve", config], { stdio: "ignore" });
  const exited = once(child, "exit");
  const url = `http://127.0.0.1:${port}`;
  while (
    !(await fetch(`${url}/v2/`).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (child.exitCode !== null) throw new Error(`zot ended with code ${child.exitCode}`);
    await setTimeout(50);
  }
  return {
    url,
    stop: async () => {
      child.kill();
      await exited;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
