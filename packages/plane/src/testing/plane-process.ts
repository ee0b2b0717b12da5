import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import type { TokenResponse } from "@tally/evidence";
import { type Answer, call, json } from "./plane-client.ts";
import type { PlaneAddress } from "./test-device.ts";

const program = join(import.meta.dirname, "run-plane.ts");

/** A plane in a process of its own, to be killed; its standard output is kept. */
export class PlaneProcess implements PlaneAddress {
  readonly url: string;
  readonly adminToken: string;
  readonly pid: number;
  readonly lines: readonly string[];
  readonly #process: ChildProcess;

  private constructor(url: string, adminToken: string, lines: readonly string[], child: ChildProcess) {
    this.url = url;
    this.adminToken = adminToken;
    this.pid = child.pid!;
    this.lines = lines;
    this.#process = child;
  }

  /** `args`: the folder, and what else run-plane.ts takes. */
  static async start(t: TestContext, dir: string, ...args: readonly string[]): Promise<PlaneProcess> {
    const child = spawn(process.execPath, [program, dir, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => child.kill("SIGKILL"));
    const lines: string[] = [];
    const url = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout! }).on("line", (line) => {
        lines.push(line);
        if (line.startsWith("http")) resolve(line);
      });
      child.once("exit", () => reject(new Error(`the plane did not start: ${lines.join("\n")}`)));
    });
    return new PlaneProcess(url, (await readFile(join(dir, "admin.token"), "utf8")).trim(), lines, child);
  }

  async kill(): Promise<void> {
    const gone = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await gone;
  }

  call(method: string, path: string, body?: object, type?: string): Promise<Answer> {
    return call(this.url, method, path, {
      token: this.adminToken,
      ...(body && { body }),
      ...(type !== undefined && { type }),
    });
  }

  async enrolmentToken(): Promise<string> {
    return json<TokenResponse>(await this.call("POST", "/api/v1/enrolment-tokens", {})).token;
  }
}
