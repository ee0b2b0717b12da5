import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Usage } from "./plane-process.ts";

/** Tally's registry in a process of its own. */
export class Registry {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  static async start(dir: string): Promise<Registry> {
    const child = fork(fileURLToPath(new URL("./registry-process.ts", import.meta.url)), [dir]);
    const [{ url }] = (await once(child, "message")) as [{ url: string }];
    return new Registry(url, child);
  }

  async usage(): Promise<Usage> {
    this.#child.send("usage");
    const [{ usage }] = (await once(this.#child, "message")) as [{ usage: Usage }];
    return usage;
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, "exit");
    this.#child.send("stop");
    await exited;
  }
}
