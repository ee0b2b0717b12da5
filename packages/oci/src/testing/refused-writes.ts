// A process whose writes to some files fail as the test says, by the system itself: strace attaches to it and answers for the kernel.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";

const strace = "/usr/bin/strace";

/** From when it resolves on, every write to these files fails; until the function it resolves to is called. Undefined, and the test skipped, where there is no strace that may. */
export async function refuseWrites(
  t: TestContext,
  pid: number,
  error: "EDQUOT" | "ENOSPC" | "EIO",
  paths: readonly string[],
): Promise<(() => Promise<void>) | undefined> {
  if (!existsSync(strace)) {
    t.skip(`skipped: there is no ${strace}`);
    return undefined;
  }
  const calls = "pwrite64,ftruncate,fallocate";
  const args = ["-f", "-p", String(pid), "-e", `trace=${calls}`, "-e", `inject=${calls}:error=${error}`];
  const child = spawn(strace, [...args, ...paths.flatMap((path) => ["-P", path])], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = once(child, "exit");
  t.after(() => child.kill("SIGKILL"));
  const said: string[] = [];
  const attached = new Promise<void>((resolve) => {
    createInterface({ input: child.stderr! }).on("line", (line) => {
      said.push(line);
      if (line.includes(`Process ${pid} attached`)) resolve();
    });
  });
  const ended = exited.then(() => "ended" as const);
  if ((await Promise.race([attached, ended])) === "ended") {
    t.skip(`skipped: strace may not attach here (${said.join(" ")})`);
    return undefined;
  }
  return async () => {
    child.kill("SIGINT");
    await exited;
  };
}
