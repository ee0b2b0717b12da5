import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gunzipSync } from "node:zlib";
import {
  asHash,
  type Digest,
  digestOf,
  type Entry,
  encodeEntry,
  generatePrivateKeyPem,
  noteSignerFromPem,
  parseCheckpoint,
  randomBytes,
  sha256,
  toBase64,
  toHex,
  utf8,
} from "@tally/evidence";
import { Ledger, type ProtocolResponse, syncLog } from "@tally/ledger";
import { type Plane, startPlane } from "@tally/plane";

const planeName = "tally.bench/plane";
const day = 86_400_000;
const summaryEvery = 4096;

export interface MonthOptions {
  readonly dir: string;
  readonly devices: number;
  readonly recordsPerDevice: number;
  /** Syncs of each device, evenly over thirty days. */
  readonly syncs: number;
  /** Devices between two seals of the plane: they share the checkpoint that their anchors name. */
  readonly together: number;
}

/**
 * A plane that has mirrored a month of a fleet: real ledgers, real uploads through the mirror and its index, without HTTP in
 * between and with a clock that is set by hand.
 */
export class Month {
  readonly model: Digest = digestOf(utf8("the model"));
  readonly from = Date.UTC(2026, 0, 1);
  readonly to = this.from + 30 * day;
  now = this.from - day;
  readonly #options: MonthOptions;
  readonly #devices: MonthDevice[] = [];
  plane!: Plane;

  constructor(options: MonthOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const clock = { now: () => this.now };
    this.plane = await startPlane({
      dir: join(this.#options.dir, "plane"),
      name: planeName,
      sealIntervalMs: 2 ** 30,
      clock,
    });
  }

  /** Enrols the fleet and lets it record and sync for thirty days, and a day beyond on either side. */
  async play(): Promise<void> {
    const { dir, devices, recordsPerDevice, syncs, together } = this.#options;
    await this.#seal();
    for (let n = 0; n < devices; n += 1) {
      this.#devices.push(await MonthDevice.enrol(this.plane, join(dir, "devices", String(n)), this.now, this.model));
    }
    await this.#seal();
    for (let round = 0; round <= syncs + 1; round += 1) {
      const begins = this.from + ((round - 1) * 30 * day) / syncs;
      for (const [n, device] of this.#devices.entries()) {
        this.now = Math.round(begins + ((n + 1) * 30 * day) / syncs / (devices + 1));
        if (n % together === 0) await this.#seal();
        await device.record(Math.round(recordsPerDevice / syncs), this.now);
        await device.sync(this.plane, this.now);
      }
      await this.#seal();
      process.stderr.write(`  sync ${round + 1} of ${syncs + 2}\n`);
    }
    for (const device of this.#devices) await device.ledger.close();
    await rm(join(dir, "devices"), { recursive: true });
  }

  /** Stops the plane and starts it anew: whatever it kept in memory is gone. */
  async restart(): Promise<void> {
    await this.plane.close();
    await this.start();
  }

  #seal(): Promise<void> {
    return this.plane.parts.sealer.seal();
  }
}

class MonthDevice {
  readonly ledger: Ledger;
  readonly #load: number;
  #count = 0;
  #statedAt = 0;

  private constructor(ledger: Ledger, load: number) {
    this.ledger = ledger;
    this.#load = load;
  }

  static async enrol({ parts }: Plane, dir: string, now: number, manifest: Digest): Promise<MonthDevice> {
    const id = toHex(randomBytes(16));
    const origin = `${planeName}/d/${id}/0`;
    const signers = [
      noteSignerFromPem(origin, 1, generatePrivateKeyPem("ed25519")),
      noteSignerFromPem(origin, 6, generatePrivateKeyPem("ml-dsa-44")),
    ];
    const ledger = await Ledger.open({ dir, origin, signers });
    const genesis = encodeEntry({
      kind: "genesis",
      time: now,
      version: 1,
      deviceId: id,
      epoch: 0,
      keySet: signers.map(({ key }) => ({ type: key.type, publicKey: key.publicKey })),
      plane: planeName,
      anchor: await newestAnchor(parts),
      nonce: asHash(randomBytes(32)),
    });
    await ledger.append(genesis).committed;
    const { note } = await ledger.seal();
    const { token } = await parts.fleet.createToken(undefined, undefined, day);
    const request = { deviceId: id, origin, genesis: toBase64(genesis), checkpoint: note };
    await parts.fleet.enroll(token, request);
    const load: Entry = {
      kind: "load",
      time: now,
      manifest,
      files: [{ digest: digestOf(utf8("weights")), size: 1000 }],
      runtime: "bench 1",
      provider: "cpu",
      grade: "declared",
      permit: null,
      outcome: "accepted",
      reason: 0,
    };
    return new MonthDevice(ledger, ledger.append(encodeEntry(load)).index);
  }

  async record(count: number, now: number): Promise<void> {
    const input = { commitment: sha256(randomBytes(8)), slot: 0 };
    for (let n = 0; n < count; n += 1) {
      if (this.ledger.size - this.#statedAt >= summaryEvery - 2) this.#summary(now);
      const entry: Entry = {
        kind: "inference",
        time: now,
        loadIndex: this.#load,
        ordinal: this.#count,
        input,
        output: input,
        durationMicros: 1000,
        captureLevel: 0,
      };
      this.#count += 1;
      const { committed, index } = this.ledger.append(encodeEntry(entry));
      if (index - this.#statedAt >= summaryEvery - 2) this.#summary(now);
      if (n % 512 === 511) await committed;
    }
  }

  async sync({ parts }: Plane, now: number): Promise<void> {
    this.ledger.append(encodeEntry({ kind: "anchor", time: now, ...(await newestAnchor(parts)) }));
    this.#summary(now);
    const latest = await this.ledger.seal();
    const result = await syncLog("http://plane.invalid", { log: this.ledger, latest, fetch: straightTo(parts.mirror) });
    if (result.status !== "mirrored") throw new Error(`a sync ended as ${result.status}`);
  }

  #summary(now: number): void {
    const loads = [{ loadIndex: this.#load, count: this.#count, unloadIndex: null }];
    this.#statedAt = this.ledger.append(encodeEntry({ kind: "summary", time: now, runStart: 0, loads })).index;
  }
}

async function newestAnchor({ checkpoints }: Plane["parts"]) {
  const newest = (await checkpoints.log.newest())!;
  const note = await checkpoints.log.bytes(newest.note);
  const { size, root } = parseCheckpoint(note).checkpoint;
  return { size, root, noteHash: sha256(note) };
}

/** The two requests of an upload, handed to the mirror itself. */
function straightTo(mirror: Plane["parts"]["mirror"]): typeof fetch {
  return async (target, init) => {
    const body = new Uint8Array(await new Response(init?.body ?? null).arrayBuffer());
    const gzipped = new Headers(init?.headers).get("content-encoding") === "gzip";
    const bytes = gzipped ? new Uint8Array(gunzipSync(body)) : body;
    return asResponse(
      String(target).endsWith("/add-checkpoint")
        ? await mirror.addCheckpoint(bytes)
        : await mirror.addEntries(Readable.from([bytes])),
    );
  };
}

function asResponse({ status, headers, body }: ProtocolResponse): Response {
  return new Response(body as string | Uint8Array<ArrayBuffer>, { status, headers });
}
