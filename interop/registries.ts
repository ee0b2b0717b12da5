// Other people's registries, each a process on a folder of its own and a free port of loopback, which logs errors alone.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { program } from "./programs.ts";
import { freePort } from "./server-process.ts";

export type RegistryName = "docker-registry" | "zot";

export interface OtherRegistry {
  readonly url: string;
  /** `127.0.0.1:<port>`, as registry clients write it. */
  readonly host: string;
  stop(): Promise<void>;
}

const configurations: Readonly<Record<RegistryName, (folder: string, port: number) => unknown>> = {
  "docker-registry": (folder, port) => ({
    version: 0.1,
    storage: { filesystem: { rootdirectory: folder }, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}` },
    log: { level: "error", accesslog: { disabled: true } },
  }),
  zot: (folder, port) => ({
    distSpecVersion: "1.1.1",
    storage: { rootDirectory: folder, gc: false },
    http: { address: "127.0.0.1", port: String(port) },
    log: { level: "error" },
  }),
};

/** Starts a registry whose program is at `path`; it keeps what it holds below `folder`. */
export async function startRegistry(name: RegistryName, path: string, folder: string): Promise<OtherRegistry> {
  await mkdir(folder, { recursive: true });
  // JSON is YAML.
  const file = join(folder, "config.yml");
  const port = await freePort();
  await writeFile(file, JSON.stringify(configurations[name](join(folder, "store"), port)));
  const child = spawn(path, ["serve", file], { stdio: ["ignore", "ignore", "pipe"] });
  const gone = once(child, "exit");
  const stop = async () => {
    child.kill("SIGKILL");
    await gone;
  };
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-4000);
  });
  const host = `127.0.0.1:${port}`;
  const answers = () =>
    fetch(`http://${host}/v2/`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await answers())) {
    if (child.exitCode !== null) throw new Error(`${name} ended: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { url: `http://${host}`, host, stop };
}

/** A registry for the time of a test; undefined where its program is not there and the test was skipped. */
export async function otherRegistry(t: TestContext, name: RegistryName): Promise<OtherRegistry | undefined> {
  const path = program(t, name);
  if (path === undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), "tally-interop-"));
  const registry = await startRegistry(name, path, folder);
  // In one step, and in this order: a registry that still writes would not let its folder go.
  t.after(async () => {
    await registry.stop();
    await rm(folder, { recursive: true, force: true });
  });
  return registry;
}
