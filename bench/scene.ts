import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ConfigOverrides, type Device, enroll, openDevice } from "@tally/edge";
import type { TokenResponse } from "@tally/evidence";
import type { Usage } from "./plane-process.ts";

/** A temporary folder with a real plane in a process of its own, at which real devices enrol. */
export class Scene {
  readonly dir: string;
  readonly planeDir: string;
  readonly trustPath: string;
  readonly url: string;
  readonly adminToken: string;
  readonly #plane: ChildProcess;
  #devices = 0;

  private constructor(dir: string, plane: ChildProcess, { url, adminToken }: { url: string; adminToken: string }) {
    this.dir = dir;
    this.planeDir = join(dir, "plane");
    this.trustPath = join(dir, "trust.json");
    this.url = url;
    this.adminToken = adminToken;
    this.#plane = plane;
  }

  /** Sets the scene for `play` and clears it away again. */
  static async with<Result>(play: (scene: Scene) => Promise<Result>): Promise<Result> {
    const dir = await mkdtemp(join(tmpdir(), "tally-bench-"));
    const plane = fork(fileURLToPath(new URL("./plane-process.ts", import.meta.url)), [join(dir, "plane")]);
    try {
      const [told] = await once(plane, "message");
      const scene = new Scene(dir, plane, told as { url: string; adminToken: string });
      await writeFile(scene.trustPath, await scene.get("/api/v1/trust"));
      return await play(scene);
    } finally {
      if (plane.exitCode === null) plane.kill("SIGKILL");
      await rm(dir, { recursive: true, force: true });
    }
  }

  /** A request as the administrator; the answer's bytes. */
  async get(path: string): Promise<Uint8Array> {
    const response = await fetch(this.url + path, { headers: { authorization: `Bearer ${this.adminToken}` } });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return new Uint8Array(await response.arrayBuffer());
  }

  /** Enrols a new device and opens it. `url` is the plane as the device is to reach it. */
  async device(config: ConfigOverrides = {}, url = this.url): Promise<Device> {
    this.#devices += 1;
    const dir = join(this.dir, `device-${this.#devices}`);
    const response = await fetch(`${this.url}/api/v1/enrolment-tokens`, {
      method: "POST",
      headers: { authorization: `Bearer ${this.adminToken}`, "content-type": "application/json" },
      body: "{}",
    });
    const { token } = (await response.json()) as TokenResponse;
    await enroll({ dir, url, token, trustPath: this.trustPath });
    return openDevice({ dir, config });
  }

  async planeUsage(): Promise<Usage> {
    const answered = once(this.#plane, "message");
    this.#plane.send("usage");
    const [{ usage }] = (await answered) as [{ usage: Usage }];
    return usage;
  }

  /** Stops the plane in good order; its folder stays until the scene ends. */
  async stopPlane(): Promise<void> {
    const exited = once(this.#plane, "exit");
    this.#plane.send("stop");
    await exited;
  }
}
