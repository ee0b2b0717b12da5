import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Patient, readDataset } from "../dataset.ts";
import { type Split, splitPatients } from "../split.ts";
import type { DemoDevice } from "./device.ts";
import type { DemoOptions } from "./options.ts";
import { type Server, startServer, tally } from "./processes.ts";
import type { Desk, Published } from "./publisher.ts";
import type { Story } from "./story.ts";

export const planeName = "tally.local/demo";

/** Everything on stage: processes, folders, tokens, and what the steps before have made. */
export class Scene {
  readonly options: DemoOptions;
  readonly story: Story;
  readonly work: string;
  readonly trustPath: string;
  readonly patients: readonly Patient[] = readDataset();
  readonly split: Split;
  readonly devices: DemoDevice[] = [];
  readonly versions: Published[] = [];
  /** Milliseconds: the question's interval begins when the demo does. */
  readonly from = Date.now() - 60_000;
  plane!: Server;
  witness!: Server;
  adminToken = "";
  desk!: Desk;
  dataset = "";
  policyPath = "";

  /** Resolves when someone ends a demo that was told to keep the plane. */
  readonly stopped: Promise<void>;
  #stop: () => void = () => {};
  #told = false;

  constructor(options: DemoOptions, story: Story) {
    this.options = options;
    this.story = story;
    this.work = join(options.out, "work");
    this.trustPath = join(this.work, "trust.json");
    this.split = splitPatients(this.patients, { seed: 1, devices: options.devices });
    this.stopped = new Promise((resolve) => {
      this.#stop = resolve;
    });
  }

  /** Lets a kept plane go. False where nobody waits for that, or when told again: then the demo is to be killed. */
  stop(): boolean {
    const first = this.options.keep && this.versions.length === 3 && !this.#told;
    this.#told = true;
    this.#stop();
    return first;
  }

  /** Starts the plane on its folder; with a port, where it was before. */
  async startPlane(port = 0): Promise<void> {
    const dir = join(this.work, "plane");
    const first = port === 0 ? ["--init"] : [];
    const args = ["serve", "--dir", dir, "--name", planeName, "--port", String(port)];
    this.plane = await startServer([...args, "--witness-policy", this.policyPath, ...first]);
    this.adminToken = (await readFile(join(dir, "admin.token"), "utf8")).trim();
  }

  get port(): number {
    return Number(new URL(this.plane.url).port);
  }

  /** Surroundings of a command that an administrator gives. */
  get admin(): NodeJS.ProcessEnv {
    return { TALLY_URL: this.plane.url, TALLY_TOKEN: this.adminToken, TALLY_TRUST: this.trustPath };
  }

  async token(role: string): Promise<string> {
    const made = JSON.parse(await tally(["token", "create", "--role", role, "--json"], this.admin)) as {
      token: string;
    };
    return made.token;
  }

  /** Patients of a device that it has not seen, the next `count` of them. */
  patientsFor(device: number, begin: number, count: number) {
    return (this.split.field[device] ?? [])
      .slice(begin, begin + count)
      .map(({ row, features }) => ({ row, features: [...features] }));
  }

  isMalignant(row: number): boolean {
    return this.patients[row]!.malignant;
  }

  async end(): Promise<void> {
    for (const device of this.devices) await device.close().catch(() => {});
    await this.plane.stop();
    await this.witness.stop();
  }
}
