import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import {
  formatVkey,
  generatePrivateKeyPem,
  noteSignerFromPem,
  parseTrust,
  type Role,
  type TokenResponse,
  type Trust,
} from "@tally/evidence";
import { serveWitness, Witness, type WitnessServer } from "@tally/ledger";
import { openPlaneKeys } from "../keys/plane-keys.ts";
import { type Plane, type PlaneOptions, startPlane } from "../start/index.ts";
import { type Answer, type Call, call, json } from "./plane-client.ts";
import { temporaryFolder } from "./temporary-folder.ts";

export const planeName = "tally.test/plane";

/** Rounds are called for by the tests themselves: nothing happens in between. */
const never = 2 ** 30;

export type TestPlaneOptions = Partial<
  Pick<
    PlaneOptions,
    | "dir"
    | "name"
    | "host"
    | "clock"
    | "witnessPolicy"
    | "init"
    | "sealIntervalMs"
    | "bodyTimeoutMs"
    | "deviceBytesPerDay"
    | "maxConnections"
    | "insecureIgnoreWitnesses"
    | "insecureNoWitnesses"
    | "insecureSignWithoutDevices"
    | "requests"
    | "headersTimeoutMs"
    | "tls"
    | "shutdownMs"
    | "logger"
    | "verifyPage"
  >
>;

/** A real plane on loopback, with an administrator at the door. It can be stopped and started again on its folder. */
export class TestPlane {
  readonly dir: string;
  readonly #options: TestPlaneOptions;
  #plane: Plane | undefined;
  adminToken = "";

  constructor(dir: string, options: TestPlaneOptions) {
    this.dir = dir;
    this.#options = options;
  }

  static async start(t: TestContext, options: TestPlaneOptions = {}): Promise<TestPlane> {
    const plane = new TestPlane(options.dir ?? join(await temporaryFolder(t), "plane"), options);
    t.after(() => plane.stop());
    await plane.start();
    return plane;
  }

  async start(changes: TestPlaneOptions = {}): Promise<void> {
    const options = { name: planeName, sealIntervalMs: never, ...this.#options, ...changes, dir: this.dir };
    this.#plane = await startPlane(options);
    this.adminToken = (await readFile(this.#plane.adminTokenPath, "utf8")).trim();
  }

  async stop(): Promise<void> {
    const running = this.#plane;
    this.#plane = undefined;
    await running?.close();
  }

  get plane(): Plane {
    if (this.#plane === undefined) throw new Error("the plane is stopped");
    return this.#plane;
  }

  get url(): string {
    return this.plane.url;
  }

  seal(): Promise<void> {
    return this.plane.parts.sealer.seal();
  }

  /** A request, as an administrator unless the call names another token. */
  call(method: string, path: string, { token = this.adminToken, ...rest }: Call = {}): Promise<Answer> {
    return call(this.url, method, path, { token, ...rest });
  }

  /** A token for a person's role. */
  async token(role: Exclude<Role, "device">, repository?: string): Promise<string> {
    const body = { role, ...(repository !== undefined && { repository }) };
    return json<TokenResponse>(await this.call("POST", "/api/v1/tokens", { body })).token;
  }

  async enrolmentToken(body: object = {}): Promise<string> {
    return json<TokenResponse>(await this.call("POST", "/api/v1/enrolment-tokens", { body })).token;
  }

  async trust(): Promise<Trust> {
    return parseTrust((await this.call("GET", "/api/v1/trust")).text);
  }
}

/** An outside witness of a plane's two logs, behind real HTTP, on a folder and with a key of its own. */
export class TestWitness {
  readonly name: string;
  readonly #dir: string;
  readonly #planeDir: string;
  readonly #pem = generatePrivateKeyPem("ed25519");
  #witness: Witness | undefined;
  #server: WitnessServer | undefined;
  #port = 0;

  constructor(name: string, dir: string, planeDir: string) {
    this.name = name;
    this.#dir = dir;
    this.#planeDir = planeDir;
  }

  static async start(t: TestContext, planeDir: string, name = "witness.test/one"): Promise<TestWitness> {
    const witness = new TestWitness(name, join(await temporaryFolder(t), "witness"), planeDir);
    t.after(() => witness.stop());
    await witness.start();
    return witness;
  }

  async start(): Promise<void> {
    const keys = await openPlaneKeys(join(this.#planeDir, "keys"), planeName);
    this.#witness = await Witness.open({
      dir: this.#dir,
      signers: [this.#signer()],
      logs: [...keys.log, ...keys.fleet].map(({ key }) => key),
    });
    this.#server = await serveWitness({ witness: this.#witness, port: this.#port });
    this.#port = Number(new URL(this.#server.url).port);
  }

  async stop(): Promise<void> {
    await this.#server?.close();
    await this.#witness?.close();
    this.#server = undefined;
    this.#witness = undefined;
  }

  /** Starts again with the same keys on an empty folder. */
  async forget(): Promise<void> {
    await this.stop();
    await rm(this.#dir, { recursive: true });
    await this.start();
  }

  /** Size of the newest checkpoint of the plane's log that it has cosigned. */
  get size(): number {
    return this.#witness?.head(`${planeName}/log`)?.checkpoint.size ?? 0;
  }

  /** A policy that asks for this witness. */
  get policy(): string {
    return `witness one ${formatVkey(this.#signer().key)} http://127.0.0.1:${this.#port}\nquorum one\n`;
  }

  #signer() {
    return noteSignerFromPem(this.name, 4, this.#pem);
  }
}

/** A plane whose checkpoints one witness has to cosign. */
export async function startWitnessed(t: TestContext): Promise<{ plane: TestPlane; witness: TestWitness }> {
  const dir = join(await temporaryFolder(t), "plane");
  const witness = await TestWitness.start(t, dir);
  const plane = await TestPlane.start(t, { dir, witnessPolicy: witness.policy, init: true });
  return { plane, witness };
}
