import { randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";

/** A salt and where it lies: entries name the slot, never the salt. */
export interface Salt {
  readonly slot: number;
  readonly salt: Uint8Array;
}

const saltBytes = 32;
/** Slots made durable at a time: 128 KiB, one fsync for 2,048 records. */
const blockSlots = 4096;

/**
 * The salts of a device's commitments: one file of 32-byte slots, `slot 0 ‖ slot 1 ‖ …`; a slot of zeros was erased.
 *
 * Salts are drawn and fsynced in blocks *before* any is used, so that a salt is always durable before the entry that
 * names it, at no cost per record. What was drawn and not used is never used after an unclean stop: an output whose record
 * was lost may have left the device with its commitment.
 *
 * @NOTE Erasing overwrites in place. Flash, copies and backups may keep what was overwritten: best effort, as documented.
 */
export class SaltStore {
  readonly #file: FileHandle;
  /** Durable slots that nobody has: [next, end). */
  #next: number;
  #end: number;
  #salts: Uint8Array;
  #refilling: Promise<void> | undefined;

  private constructor(file: FileHandle, next: number) {
    this.#file = file;
    this.#next = next;
    this.#end = next;
    this.#salts = new Uint8Array();
  }

  /**
   * Opens or creates the file.
   *
   * @param next the first unused slot, as a clean stop stored it; without it all slots of the file count as used.
   */
  static async open(path: string, next?: number): Promise<SaltStore> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(path, "r+").catch(() => open(path, "wx+", 0o600));
    const { size } = await file.stat();
    const slots = Math.ceil(size / saltBytes);
    const store = new SaltStore(file, next === undefined ? slots : Math.min(next, slots));
    if (next !== undefined && next < slots) await store.#readUnused(slots);
    return store;
  }

  /** The first slot that nobody has. */
  get next(): number {
    return this.#next;
  }

  /** Hands out salts that are durable, each to one caller only. */
  async take(count: number): Promise<Salt[]> {
    for (;;) {
      const salts = this.takeDrawn(count);
      if (salts !== undefined) return salts;
      await this.#refill(count);
    }
  }

  /** As `take`, at once; undefined where so many are not durable yet. */
  takeDrawn(count: number): Salt[] | undefined {
    if (this.#end - this.#next < count) return undefined;
    const salts = Array.from({ length: count }, () => {
      const slot = this.#next++;
      const at = this.#salts.length - (this.#end - slot) * saltBytes;
      return { slot, salt: this.#salts.slice(at, at + saltBytes) };
    });
    if (this.#end - this.#next < blockSlots / 2) void this.#refill(0).catch(() => {});
    return salts;
  }

  /** The salt in a slot; undefined when it was erased or never drawn. */
  async read(slot: number): Promise<Uint8Array | undefined> {
    const salt = new Uint8Array(saltBytes);
    const { bytesRead } = await this.#file.read(salt, 0, saltBytes, slot * saltBytes);
    return bytesRead < saltBytes || salt.every((byte) => byte === 0) ? undefined : salt;
  }

  /** Destroys salts: what their commitments stand for can no longer be shown. Proofs go on verifying. */
  async erase(slots: readonly number[]): Promise<void> {
    for (const slot of slots) {
      if (slot >= this.#next) throw new RangeError(`slot ${slot} is not in use`);
      await this.#file.write(new Uint8Array(saltBytes), 0, saltBytes, slot * saltBytes);
    }
    await this.#file.datasync();
  }

  async close(): Promise<void> {
    await this.#refilling?.catch(() => {});
    await this.#file.close();
  }

  #refill(least: number): Promise<void> {
    this.#refilling ??= this.#draw(Math.max(blockSlots, least)).finally(() => {
      this.#refilling = undefined;
    });
    return this.#refilling;
  }

  async #draw(count: number): Promise<void> {
    const fresh = randomBytes(count * saltBytes);
    await this.#file.write(fresh, 0, fresh.length, this.#end * saltBytes);
    await this.#file.datasync();
    const unused = this.#salts.subarray(this.#salts.length - (this.#end - this.#next) * saltBytes);
    const salts = new Uint8Array(unused.length + fresh.length);
    salts.set(unused);
    salts.set(fresh, unused.length);
    this.#salts = salts;
    this.#end += count;
  }

  async #readUnused(end: number): Promise<void> {
    const salts = new Uint8Array((end - this.#next) * saltBytes);
    const { bytesRead } = await this.#file.read(salts, 0, salts.length, this.#next * saltBytes);
    // A torn last slot is left behind.
    const whole = Math.floor(bytesRead / saltBytes);
    this.#salts = salts.subarray(0, whole * saltBytes);
    this.#end = this.#next + whole;
  }
}
