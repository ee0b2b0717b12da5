import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { enroll } from "@tally/edge";
import { type DeviceList, parseTrust, type TokenResponse, type Trust } from "@tally/evidence";
import { freePort, runTally, ServerProcess } from "./server-process.ts";

/** A plane and its witness, each in a process of its own, and a folder for devices. */
export class Stage {
  readonly folder: string;
  readonly url: string;
  readonly plane: ServerProcess;
  readonly witness: ServerProcess;
  adminToken = "";

  private constructor(folder: string, url: string, plane: ServerProcess, witness: ServerProcess) {
    this.folder = folder;
    this.url = url;
    this.plane = plane;
    this.witness = witness;
  }

  static async set(folder: string): Promise<Stage> {
    const [planePort, witnessPort] = [await freePort(), await freePort()];
    const in_ = (name: string) => join(folder, name);
    const own = ["--dir", in_("witness")];
    await runTally("witness", ...own, "--name", "witness.soak/one", "--print-keys");
    await writeFile(
      in_("policy"),
      await runTally("witness", ...own, "--print-policy", `http://127.0.0.1:${witnessPort}`),
    );
    const plane = ["serve", "--dir", in_("plane"), "--name", "tally.soak/plane", "--port", String(planePort)];
    const stage = new Stage(
      folder,
      `http://127.0.0.1:${planePort}`,
      new ServerProcess(...plane, "--witness-policy", in_("policy"), "--init"),
      new ServerProcess("witness", ...own, "--port", String(witnessPort), "--trust", in_("trust.json")),
    );
    await stage.plane.start();
    stage.adminToken = (await readFile(join(folder, "plane", "admin.token"), "utf8")).trim();
    await writeFile(in_("trust.json"), await stage.get("/api/v1/trust"));
    await stage.witness.start();
    return stage;
  }

  async trust(): Promise<Trust> {
    return parseTrust(await readFile(join(this.folder, "trust.json")));
  }

  /** Enrols a device; `url` is the plane as the device is to reach it. */
  async enrolDevice(name: string, url = this.url): Promise<string> {
    const response = await fetch(`${this.url}/api/v1/enrolment-tokens`, {
      method: "POST",
      headers: { authorization: `Bearer ${this.adminToken}`, "content-type": "application/json" },
      body: "{}",
    });
    const { token } = (await response.json()) as TokenResponse;
    const dir = join(this.folder, name);
    await enroll({ dir, url, token, trustPath: join(this.folder, "trust.json") });
    return dir;
  }

  /** A request as the administrator, asked again while the plane is not ready. */
  async get(path: string): Promise<Uint8Array> {
    for (let attempt = 0; ; attempt += 1) {
      const response = await fetch(this.url + path, { headers: { authorization: `Bearer ${this.adminToken}` } });
      if (response.ok) return new Uint8Array(await response.arrayBuffer());
      const text = await response.text();
      if (attempt === 50 || response.status !== 503) throw new Error(`${path}: ${response.status} ${text}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  async mirroredSize(deviceId: string): Promise<number> {
    const list = JSON.parse(new TextDecoder().decode(await this.get(`/api/v1/devices/${deviceId}`))) as DeviceList;
    return list.devices[0]!.mirroredSize;
  }

  async clear(): Promise<void> {
    await Promise.all([this.plane.kill(), this.witness.kill()]);
  }
}
