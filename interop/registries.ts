// Other people's registries, each a process on a folder of its own, on a loopback port that it chooses.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { program } from "./programs.ts";
import { temporaryFolder } from "./server-process.ts";

export type RegistryName = "docker-registry" | "zot";

export interface OtherRegistry {
  readonly url: string;
  /** `127.0.0.1:<port>`, as registry clients write it. */
  readonly host: string;
  stop(): Promise<void>;
}

const configurations: Readonly<Record<RegistryName, (folder: string) => unknown>> = {
  "docker-registry": (folder) => ({
    version: 0.1,
    storage: { filesystem: { rootdirectory: folder }, delete: { enabled: true } },
    http: { addr: "127.0.0.1:0" },
    log: { level: "info", accesslog: { disabled: true } },
  }),
  zot: (folder) => ({
    distSpecVersion: "1.1.1",
    storage: { rootDirectory: folder, gc: false },
    http: { address: "127.0.0.1", port: "0" },
    log: { level: "info" },
  }),
};

/** How each tells the port in its log. */
const listening = /listening on 127\.0\.0\.1:(\d+)|kernel chosen port","port":(\d+)/;

/** Starts a registry whose program is at `path`; it keeps what it holds below `folder`. */
export async function startRegistry(name: RegistryName, path: string, folder: string): Promise<OtherRegistry> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, "config.yml");
  // JSON is YAML.
  await writeFile(file, JSON.stringify(configurations[name](join(folder, "store"))));
  const child = spawn(path, ["serve", file], { stdio: ["ignore", "pipe", "pipe"] });
  const gone = once(child, "exit");
  const stop = async () => {
    child.kill("SIGKILL");
    await gone;
  };
  const lines: string[] = [];
  const port = await new Promise<string | undefined>((resolve) => {
    for (const input of [child.stdout, child.stderr]) {
      createInterface({ input }).on("line", (line) => {
        const [, docker, zot] = listening.exec(line) ?? [];
        if (lines.push(line) > 100) lines.shift();
        if (docker ?? zot) resolve(docker ?? zot);
      });
    }
    void gone.then(() => resolve(undefined));
  });
  if (port === undefined) throw new Error(`${name} did not start: ${lines.join("\n")}`);
  const host = `127.0.0.1:${port}`;
  // zot says its port a moment before it takes connections; connecting is tried until then.
  while (
    !(await fetch(`http://${host}/v2/`).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (child.exitCode !== null) throw new Error(`${name} ended: ${lines.join("\n")}`);
  }
  return { url: `http://${host}`, host, stop };
}

/** A registry for the time of a test; undefined where its program is not there and the test was skipped. */
export async function otherRegistry(t: TestContext, name: RegistryName): Promise<OtherRegistry | undefined> {
  const path = program(t, name);
  if (path === undefined) return undefined;
  const registry = await startRegistry(name, path, join(await temporaryFolder(t), name));
  t.after(() => registry.stop());
  return registry;
}
