import { cp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  advanceRun,
  asHash,
  type Digest,
  decodeEntry,
  digestOf,
  type EnrollRequest,
  type Entry,
  encodeEntry,
  type GenesisResponse,
  generatePrivateKeyPem,
  loadCounts,
  type NonceResponse,
  type NoteSigner,
  noteSignerFromPem,
  parseCheckpoint,
  type RunState,
  randomBytes,
  sessionMessage,
  sha256,
  signWithPem,
  type TokenResponse,
  toBase64,
  toHex,
  utf8,
} from "@tally/evidence";
import { type Appended, Ledger, type SyncResult, syncLog } from "@tally/ledger";
import { type Answer, call, json } from "./plane-client.ts";
import { planeName } from "./test-plane.ts";

/** What a device knows of its plane. */
export interface PlaneAddress {
  readonly url: string;
  enrolmentToken(body?: object): Promise<string>;
}

type Keys = readonly [ed25519: string, mlDsa: string];

/**
 * A device made by hand from the formats alone, so that what the plane is tested with is not our own edge. Attackers are devices that
 * do with their keys what they like.
 */
export class TestDevice {
  readonly id: string;
  readonly dir: string;
  readonly pems: Keys;
  readonly ledger: Ledger;
  #run: RunState | undefined;
  #load = -1;
  #token: string | undefined;
  /** The newest cosigned checkpoint of the plane's log that it has seen; shown when it opens a session. */
  pinned: string | undefined;

  private constructor(id: string, dir: string, pems: Keys, ledger: Ledger, run?: RunState) {
    this.id = id;
    this.dir = dir;
    this.pems = pems;
    this.ledger = ledger;
    this.#run = run;
    this.#load = [...(run?.loads.keys() ?? [])].at(-1) ?? -1;
  }

  /** A device with fresh keys and an empty ledger. */
  static async create(dir: string): Promise<TestDevice> {
    const pems = [generatePrivateKeyPem("ed25519"), generatePrivateKeyPem("ml-dsa-44")] as const;
    const id = toHex(randomBytes(16));
    return new TestDevice(id, dir, pems, await openLedger(dir, id, pems));
  }

  /** Created, enrolled and with a model loaded. */
  static async enrolled(plane: PlaneAddress, dir: string, name = "ward"): Promise<TestDevice> {
    const device = await TestDevice.create(dir);
    const token = await plane.enrolmentToken({ name });
    const { status, text } = await device.enroll(plane, token);
    if (status !== 200) throw new Error(`enrolment: ${status} ${text}`);
    await device.load();
    return device;
  }

  get origin(): string {
    return this.ledger.origin;
  }

  /** Writes the genesis entry on what the plane gives, and asks to be enrolled. */
  async enroll(plane: PlaneAddress, token: string): Promise<Answer> {
    return call(plane.url, "POST", "/api/v1/enroll", { token, body: await this.enrolment(plane, token) });
  }

  /** The enrolment request; the genesis entry is written the first time. */
  async enrolment(plane: PlaneAddress, token: string): Promise<EnrollRequest> {
    if (this.ledger.size === 0) {
      const { checkpoint } = json<GenesisResponse>(await call(plane.url, "GET", "/api/v1/genesis", { token }));
      await this.append(await this.genesis(checkpoint));
      this.pinned = checkpoint;
    }
    const { note } = await this.ledger.seal();
    return { deviceId: this.id, origin: this.origin, genesis: toBase64(await this.ledger.entry(0)), checkpoint: note };
  }

  async genesis(anchorNote: string): Promise<Entry> {
    const { size, root } = parseCheckpoint(anchorNote).checkpoint;
    return {
      kind: "genesis",
      time: Date.now(),
      version: 1,
      deviceId: this.id,
      epoch: 0,
      keySet: signersOf(this.id, this.pems).map(({ key }) => ({ type: key.type, publicKey: key.publicKey })),
      plane: planeName,
      anchor: { size, root, noteHash: sha256(utf8(anchorNote)) },
      nonce: asHash(randomBytes(32)),
    };
  }

  /** Appends an entry as it is; honest ones are counted. */
  async append(entry: Entry): Promise<number> {
    const { index, committed } = this.ledger.append(encodeEntry(entry));
    await committed;
    this.#run = advanceRun(this.#run, entry);
    return index;
  }

  async load(
    manifest: Digest = digestOf(utf8("a model")),
    outcome: "accepted" | "refused" = "accepted",
  ): Promise<number> {
    const files = [{ digest: digestOf(utf8("weights")), size: 7 }];
    const [grade, permit] = ["measured", null] as const;
    const reason = outcome === "accepted" ? 0 : 3;
    const what = {
      manifest,
      files,
      runtime: "onnxruntime 1",
      provider: "cpu",
      grade,
      permit,
      outcome,
      reason,
    } as const;
    const index = await this.append({ kind: "load", time: Date.now(), ...what });
    if (outcome === "accepted") this.#load = index;
    return index;
  }

  /** One record; `ordinal` is given only by liars, and then it is not counted. */
  async infer(ordinal?: number): Promise<number> {
    const { index, committed } = this.queueInference(ordinal);
    await committed;
    return index;
  }

  /** One record that is not waited for. */
  queueInference(ordinal?: number): Appended {
    const salted = { commitment: sha256(randomBytes(8)), slot: 0 };
    const next = this.#run?.loads.get(this.#load)?.count ?? 0;
    const entry: Entry = {
      kind: "inference",
      time: Date.now(),
      loadIndex: this.#load,
      ordinal: ordinal ?? next,
      input: salted,
      output: salted,
      durationMicros: 100,
      captureLevel: 0,
    };
    const appended = this.ledger.append(encodeEntry(entry));
    if (entry.ordinal === next) this.#run = advanceRun(this.#run, entry);
    return appended;
  }

  async summary(): Promise<void> {
    const run = this.#run!;
    await this.append({ kind: "summary", time: Date.now(), runStart: run.runStart, loads: loadCounts(run) });
  }

  /** The session that the device's first key opens; asked for once. */
  async token(plane: PlaneAddress): Promise<string> {
    const token = this.#token ?? json<TokenResponse>(await this.openSession(plane)).token;
    this.#token = token;
    return token;
  }

  async freshToken(plane: PlaneAddress): Promise<string> {
    this.#token = undefined;
    return this.token(plane);
  }

  async openSession(plane: PlaneAddress, origin = this.origin): Promise<Answer> {
    const asked = await call(plane.url, "POST", "/api/v1/sessions/nonce", { body: { origin } });
    const { nonce } = json<NonceResponse>(asked);
    return call(plane.url, "POST", "/api/v1/sessions", {
      body: {
        origin,
        nonce,
        signature: await this.sign(nonce, origin),
        ...(this.pinned !== undefined && { planeCheckpoint: this.pinned }),
      },
    });
  }

  async sign(nonce: string, origin = this.origin): Promise<string> {
    return toBase64(await signWithPem(this.pems[0], utf8(sessionMessage(origin, nonce))));
  }

  /** Anchor, summary, seal, add-checkpoint, add-entries (evidence.md 4). */
  async sync(plane: PlaneAddress): Promise<SyncResult> {
    const token = await this.token(plane);
    const { text } = await call(plane.url, "GET", "/log/checkpoint", { token });
    const { size, root } = parseCheckpoint(text).checkpoint;
    const before = this.pinned === undefined ? 0 : parseCheckpoint(this.pinned).checkpoint.size;
    if (size >= before) this.pinned = text;
    await this.append({ kind: "anchor", time: Date.now(), size, root, noteHash: sha256(utf8(text)) });
    await this.summary();
    return this.upload(plane, token);
  }

  /** Uploads what there is, as it is. */
  async upload(plane: PlaneAddress, token?: string, send: typeof fetch = fetch): Promise<SyncResult> {
    const authorization = `Bearer ${token ?? (await this.token(plane))}`;
    const latest = await this.ledger.seal();
    return syncLog(plane.url, { log: this.ledger, latest, headers: { authorization }, fetch: send });
  }

  /** A second device with this one's keys and a copy of its folder as it is now. */
  async clone(dir: string): Promise<{ original: TestDevice; copy: TestDevice }> {
    await this.ledger.close();
    await cp(this.dir, dir, { recursive: true });
    for (const name of await readdir(dir)) if (name.startsWith("lock.")) await rm(join(dir, name));
    return { original: await this.#reopen(this.dir), copy: await this.#reopen(dir) };
  }

  close(): Promise<void> {
    return this.ledger.close();
  }

  async #reopen(dir: string): Promise<TestDevice> {
    const ledger = await openLedger(dir, this.id, this.pems);
    let run: RunState | undefined;
    for await (const bytes of ledger.entries(0, ledger.size)) run = advanceRun(run, decodeEntry(bytes));
    return new TestDevice(this.id, dir, this.pems, ledger, run);
  }
}

function signersOf(id: string, [ed25519, mlDsa]: Keys): NoteSigner[] {
  const origin = `${planeName}/d/${id}/0`;
  return [noteSignerFromPem(origin, 1, ed25519), noteSignerFromPem(origin, 6, mlDsa)];
}

function openLedger(dir: string, id: string, pems: Keys): Promise<Ledger> {
  return Ledger.open({ dir, origin: `${planeName}/d/${id}/0`, signers: signersOf(id, pems) });
}
