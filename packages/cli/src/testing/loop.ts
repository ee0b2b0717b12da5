// The loop by hand, in this process: a plane, and commands given to `main` as a person gives them. For tests.

import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { type Plane, type PlaneOptions, startPlane } from "@tally/plane";
import { main } from "../main.ts";

const tinyModel = fileURLToPath(new URL("../../../edge/testdata/tiny.onnx", import.meta.url));

export interface Said {
  readonly out: string;
  readonly err: string;
  readonly code: number;
}

/** Runs one command in `cwd` with this environment alone. */
export async function tally(
  cwd: string,
  env: Readonly<Record<string, string>>,
  ...args: readonly string[]
): Promise<Said> {
  const [out, err]: [string[], string[]] = [[], []];
  const terminal = {
    stdout: { write: (text: string) => out.push(text) },
    stderr: { write: (text: string) => err.push(text) },
    env,
    cwd,
    stdin: (async function* () {})(),
    stop: new AbortController().signal,
  };
  const code = await main(args, terminal);
  return { out: out.join(""), err: err.join(""), code };
}

/** A plane with people who have keys, in a folder of their own. */
export class Loop {
  readonly folder: string;
  readonly #options: Partial<PlaneOptions>;
  #plane: Plane | undefined;
  token = "";

  private constructor(folder: string, options: Partial<PlaneOptions>) {
    this.folder = folder;
    this.#options = options;
  }

  /**
   * Ready to publish: keys, identities, a model to sign, and the plane's trust file.
   *
   * @param people whose keys these people have; keys of their own otherwise
   */
  static async start(t: TestContext, options: Partial<PlaneOptions> = {}, people?: Loop): Promise<Loop> {
    const folder = await mkdtemp(join(tmpdir(), "tally-loop-"));
    const loop = new Loop(folder, options);
    t.after(async () => {
      await loop.stop();
      await rm(folder, { recursive: true, force: true });
    });
    await loop.startPlane();
    await mkdir(join(folder, "model"));
    await cp(tinyModel, join(folder, "model", "model.onnx"));
    await writeFile(join(folder, "model", "README.md"), "# A tiny classifier\n");
    await writeFile(join(folder, "inputs.jsonl"), '{"features": [1, 2, 3, 4]}\n{"features": [4, 3, 2, 1]}\n');
    if (people !== undefined) await cp(join(people.folder, "keys"), join(folder, "keys"), { recursive: true });
    else for (const name of ["publisher", "reviewer"]) await loop.do("keygen", `keys/${name}`);
    await loop.know();
    await writeFile(join(folder, "trust.json"), await loop.do("trust", "show"));
    return loop;
  }

  get plane(): Plane {
    assert.ok(this.#plane, "the plane is stopped");
    return this.#plane;
  }

  async startPlane(changes: Partial<PlaneOptions> = {}): Promise<void> {
    const dir = join(this.folder, "plane");
    this.#plane = await startPlane({ dir, name: "tally.test/loop", ...this.#options, ...changes });
    this.token = (await readFile(this.#plane.adminTokenPath, "utf8")).trim();
  }

  async stop(): Promise<void> {
    const running = this.#plane;
    this.#plane = undefined;
    await running?.close();
  }

  /** Makes the people of `keys` known to the plane. */
  async know(): Promise<void> {
    const may = "ingest,train,sign-model,evaluate,release,select";
    await this.do("identity", "add", "publisher", "--key", "keys/publisher.pub.pem", "--may", may);
    await this.do("identity", "add", "reviewer", "--key", "keys/reviewer.pub.pem", "--may", "approve");
  }

  /** A command against this plane as its administrator, which must end well. @returns its data */
  async do(...args: readonly string[]): Promise<string> {
    const said = await this.try(...args);
    assert.equal(said.code, 0, `tally ${args.join(" ")}: ${said.err}${said.out}`);
    return said.out.trim();
  }

  try(...args: readonly string[]): Promise<Said> {
    return tally(this.folder, this.env, ...args);
  }

  get env(): Readonly<Record<string, string>> {
    return { TALLY_URL: this.plane.url, TALLY_TOKEN: this.token, TALLY_TRUST: join(this.folder, "trust.json") };
  }

  /** Signs, packs, pushes, approves and releases the model. @returns its manifest's digest */
  async publish(ref = "tiny:v1", channel = "tiny:stable"): Promise<string> {
    const manifest = await this.pushModel(ref);
    await this.do("approve", ref, "--key", "keys/reviewer.pem");
    await this.do("release", ref, channel, "--key", "keys/publisher.pem");
    return manifest;
  }

  async pushModel(ref: string): Promise<string> {
    await rm(join(this.folder, "layout"), { recursive: true, force: true });
    await rm(join(this.folder, "model", "model.sig"), { force: true });
    await this.do("model", "sign", "model", "--key", "keys/publisher.pem");
    await this.do("model", "pack", "model", "-o", "layout");
    const key = ["--key", "keys/publisher.pem"];
    return this.do("model", "push", "layout", ref, "--signature", "model/model.sig", ...key);
  }

  /** Enrols a device that keeps what it sees. */
  async enrol(dir = "device"): Promise<void> {
    const enrolment = await this.do("device", "token", "--name", dir);
    await this.do("device", "enroll", "--dir", dir, "--enrolment-token", enrolment, "--capture", "full");
  }

  /** Has the device infer, and bring back what it kept. */
  async infer(dir = "device", channel = "tiny:stable"): Promise<void> {
    await this.do("device", "infer", channel, "inputs.jsonl", "--dir", dir);
    await this.do("device", "sync", "--dir", dir);
    await this.do("device", "sync", "--dir", dir);
    await this.plane.parts.sealer.seal();
  }
}
