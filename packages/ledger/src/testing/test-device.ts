import { cp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { NoteSigner } from "@tally/evidence";
import type { SignedCheckpoint } from "../checkpoint-file.ts";
import { type PeerOptions, type SyncResult, syncLog } from "../client/index.ts";
import { Ledger } from "../ledger.ts";
import { sampleEntry } from "./sample-entries.ts";

/** A device: a ledger folder and the keys that sign it. Attackers are devices that do with them what they like. */
export class TestDevice {
  readonly dir: string;
  readonly signers: readonly NoteSigner[];
  ledger: Ledger;

  private constructor(dir: string, signers: readonly NoteSigner[], ledger: Ledger) {
    this.dir = dir;
    this.signers = signers;
    this.ledger = ledger;
  }

  static async open(dir: string, signers: readonly NoteSigner[]): Promise<TestDevice> {
    const origin = signers[0]!.key.name;
    return new TestDevice(dir, signers, await Ledger.open({ dir, origin, signers }));
  }

  /** Appends until there are `size` entries and signs them; `entry` decides what they are. */
  async growTo(size: number, entry: (index: number) => Uint8Array = sampleEntry): Promise<SignedCheckpoint> {
    for (let index = this.ledger.size; index < size; index += 1) {
      const { committed } = this.ledger.append(entry(index));
      if (index % 4_000 === 3_999) await committed;
    }
    return this.ledger.seal();
  }

  sync(url: string, options: PeerOptions = {}): Promise<SyncResult> {
    return syncLog(url, { ...options, log: this.ledger, latest: this.ledger.latest! });
  }

  /** A second device with this one's keys and a copy of its folder as it is now. */
  async clone(dir: string): Promise<TestDevice> {
    await this.ledger.close();
    await cp(this.dir, dir, { recursive: true });
    for (const name of await readdir(dir)) if (name.startsWith("lock.")) await rm(join(dir, name));
    this.ledger = (await TestDevice.open(this.dir, this.signers)).ledger;
    return TestDevice.open(dir, this.signers);
  }

  close(): Promise<void> {
    return this.ledger.close();
  }
}
