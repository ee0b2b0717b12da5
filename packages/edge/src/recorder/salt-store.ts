import { hkdfSync, randomBytes } from "node:crypto";
import { type FileHandle, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { concatBytes } from "@tally/evidence";
import { EdgeError } from "../error.ts";
import { readIfPresent, writeDurably } from "../folder/durable-file.ts";
import { CellOwners } from "./cell-owners.ts";
import { deriveSalts, keyBytes, type Salt } from "./salt-derivation.ts";
import { openOrCreate, readAll, SharedWrite, writeAll } from "./shared-write.ts";
import { storageError } from "./storage-error.ts";
import { isZero, SubjectKeys } from "./subject-keys.ts";

/** Cells made durable at a time: 64 KiB, one fsync for 2,048 records. */
const blockCells = 2048;

/**
 * The keystore of a device's commitments (evidence.md 7), in a folder of its own:
 *
 *     device.key  32 random bytes: what keyed hashes of this device are keyed by
 *     cells       a 32-byte cell for each two slots, `cell 0 ‖ cell 1 ‖ …`; a cell of zeros was erased
 *     owners      a u32, little-endian, for each cell: the number of the subject, 0 where the subject is unknown
 *     subjects    the keys of subjects (subject-keys.ts)
 *
 * A cell is a record's own key, and where the record has a subject, it is that key encrypted under the subject's. Salts are
 * derived from it, and so is the key that payloads are encrypted under: without the cell or the subject's key nothing that
 * the record commits to can be opened any more.
 *
 * Cells are drawn and fsynced in blocks *before* any is used, so that a salt is always durable before the entry that
 * names it, at no cost per record; a record of a subject also waits for the owner of its cells, which all that wait write
 * together. What was drawn and not used is never used after an unclean stop: an output whose record was lost may have left
 * the device with its commitment.
 *
 * @NOTE Erasing overwrites in place. Flash, copies and backups may keep what was overwritten: best effort, as documented.
 */
export class SaltStore {
  readonly #cells: FileHandle;
  readonly #owners: CellOwners;
  readonly #subjects: SubjectKeys;
  readonly #shared: SharedWrite;
  readonly #deviceKey: Uint8Array;
  /** Durable cells that nobody has: [next, end). */
  #next: number;
  #end: number;
  #drawn = new Uint8Array(0);
  #refilling: Promise<void> | undefined;

  private constructor(parts: {
    cells: FileHandle;
    owners: CellOwners;
    subjects: SubjectKeys;
    deviceKey: Uint8Array;
    next: number;
  }) {
    this.#cells = parts.cells;
    this.#owners = parts.owners;
    this.#subjects = parts.subjects;
    this.#deviceKey = parts.deviceKey;
    // Subjects first: an owner that is durable has its key.
    this.#shared = new SharedWrite([parts.subjects.file, parts.owners.file]);
    this.#next = parts.next;
    this.#end = parts.next;
  }

  /**
   * Opens or creates the folder.
   *
   * @param next the first unused slot, as a clean stop stored it; without it all that was drawn counts as used.
   */
  static async open(folder: string, next?: number): Promise<SaltStore> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const deviceKey = await readDeviceKey(join(folder, "device.key"));
    const subjects = await SubjectKeys.open(join(folder, "subjects"), subkey(deviceKey, "tally/subjects/v1"));
    const cells = await openOrCreate(join(folder, "cells"));
    const owners = await CellOwners.open(join(folder, "owners"));
    const drawn = Math.ceil((await cells.stat()).size / keyBytes);
    const first = next === undefined ? drawn : Math.min(Math.ceil(next / 2), drawn);
    const store = new SaltStore({ cells, owners, subjects, deviceKey, next: first });
    if (first < drawn) await store.#readUnused(drawn);
    return store;
  }

  /** The first slot that nobody has. */
  get next(): number {
    return this.#next * 2;
  }

  /** A key for one purpose that never leaves this device. */
  subkey(purpose: string): Uint8Array {
    return subkey(this.#deviceKey, purpose);
  }

  /** Hands out salts of one record of an unknown subject; they are durable, each to one caller only. */
  async take(count: number): Promise<Salt[]> {
    for (;;) {
      const salts = this.takeDrawn(count);
      if (salts !== undefined) return salts;
      await this.#refill(cellsFor(count));
    }
  }

  /** As `take`, at once; undefined where so many are not durable yet. */
  takeDrawn(count: number): Salt[] | undefined {
    const cells = cellsFor(count);
    if (this.#end - this.#next < cells) return undefined;
    const salts: Salt[] = [];
    for (let i = 0; i < cells; i++) {
      const { group, cell } = this.#takeCell();
      addSalts(salts, count, group, cell);
    }
    return salts;
  }

  /**
   * Hands out salts of one record of a data subject; resolves when all that it takes to read them again is durable.
   *
   * @throws EdgeError `content-invalid` for a subject without a name
   */
  async takeFor(subject: string, count: number): Promise<Salt[]> {
    const cells = cellsFor(count);
    await this.recover();
    while (this.#end - this.#next < cells) await this.#refill(cells);
    const { number, write } = this.#subjects.number(subject);
    return this.#takeOwned(number, count, write);
  }

  /** Hands out salts for what is said later of a record, of the same subject as its slot. */
  async takeBeside(slot: number, count: number): Promise<Salt[]> {
    const number = slot < this.next ? await this.#owners.of(Math.floor(slot / 2)) : 0;
    if (number === 0 || (await this.read(slot)) === undefined) return this.take(count);
    const cells = cellsFor(count);
    await this.recover();
    while (this.#end - this.#next < cells) await this.#refill(cells);
    return this.#takeOwned(number, count);
  }

  /** The salt in a slot, with its record's key; undefined when it was erased or never drawn. */
  async find(slot: number): Promise<Salt | undefined> {
    const group = Math.floor(slot / 2);
    const cell = new Uint8Array(keyBytes);
    if ((await readAll(this.#cells, cell, group * keyBytes)) < keyBytes || isZero(cell)) return undefined;
    const owner = await this.#owners.of(group);
    const key = owner === 0 ? cell : await this.#subjects.recordKey(owner, group, cell);
    if (key === undefined) return undefined;
    return { slot, salt: deriveSalts(key)[slot % 2]!, key };
  }

  /** The salt in a slot; undefined when it was erased or never drawn. */
  async read(slot: number): Promise<Uint8Array | undefined> {
    return (await this.find(slot))?.salt;
  }

  /**
   * Bytes that only the key of the slot's data subject leads to, or that of its record where the subject is unknown;
   * undefined when that key was destroyed. HKDF-SHA256.
   *
   * @param salt sets apart what is derived for one use from what is derived for the next
   */
  async derive(slot: number, purpose: string, salt: Uint8Array, length: number): Promise<Uint8Array | undefined> {
    const owner = await this.#owners.of(Math.floor(slot / 2));
    const key = owner === 0 ? (await this.find(slot))?.key : await this.#subjects.key(owner);
    return key === undefined ? undefined : new Uint8Array(hkdfSync("sha256", key, salt, purpose, length));
  }

  /** The number under which a subject's records are kept; undefined where it has none. */
  subjectNumber(subject: string): number | undefined {
    return this.#subjects.find(subject);
  }

  /** Tells slot for slot of which subject's record it is, 0 where the subject is unknown; fast for slots in their order. */
  ownerReader(): (slot: number) => Promise<number> {
    const ownerOf = this.#owners.reader();
    return (slot) => ownerOf(Math.floor(slot / 2));
  }

  /** Gives the subject's next records another key; called before its key is destroyed. */
  retire(subject: string): void {
    this.#subjects.retire(subject);
  }

  /** Destroys a subject's key, durably: nothing that its records commit to can be opened. Proofs go on verifying. */
  destroySubject(number: number): Promise<void> {
    return this.#shared.add(() => this.#subjects.destroy(number));
  }

  /** Destroys the keys of the records that have these slots, durably. Proofs go on verifying. */
  async erase(slots: readonly number[]): Promise<void> {
    for (const slot of slots) {
      if (slot >= this.next) throw new RangeError(`slot ${slot} is not in use`);
      await writeAll(this.#cells, new Uint8Array(keyBytes), Math.floor(slot / 2) * keyBytes);
    }
    await this.#cells.datasync();
  }

  /**
   * After a failed write: makes durable what is not, so that every subject that has a number has its key on disk. Costs
   * nothing otherwise.
   *
   * @throws EdgeError `storage-full`, `record-failed` while the disk fails; the next call tries again
   */
  recover(): Promise<void> {
    return orFailed(this.#shared.recover());
  }

  async close(): Promise<void> {
    await this.#refilling?.catch(() => {});
    await this.#shared.settled();
    await Promise.all([this.#cells.close(), this.#owners.file.close(), this.#subjects.file.close()]);
  }

  async #takeOwned(number: number, count: number, write?: () => Promise<void>): Promise<Salt[]> {
    const taken = Array.from({ length: cellsFor(count) }, () => this.#takeCell());
    for (const { group } of taken) this.#owners.own(group, number);
    const durable = orFailed(this.#shared.add(this.#owners.writing(write)));
    durable.catch(() => {});
    const salts: Salt[] = [];
    for (const { group, cell } of taken) {
      // A key destroyed meanwhile: the record is made, and nothing of it can be opened.
      const key = (await this.#subjects.recordKey(number, group, cell)) ?? randomBytes(keyBytes);
      addSalts(salts, count, group, key);
    }
    await durable;
    return salts;
  }

  #takeCell(): { readonly group: number; readonly cell: Uint8Array } {
    const group = this.#next++;
    const at = this.#drawn.length - (this.#end - group) * keyBytes;
    if (this.#end - this.#next < blockCells / 2) void this.#refill(0).catch(() => {});
    return { group, cell: this.#drawn.subarray(at, at + keyBytes) };
  }

  #refill(least: number): Promise<void> {
    this.#refilling ??= orFailed(this.#draw(Math.max(blockCells, least))).finally(() => {
      this.#refilling = undefined;
    });
    return this.#refilling;
  }

  async #draw(count: number): Promise<void> {
    const fresh = randomBytes(count * keyBytes);
    await writeAll(this.#cells, fresh, this.#end * keyBytes);
    await this.#cells.datasync();
    const unused = this.#drawn.subarray(this.#drawn.length - (this.#end - this.#next) * keyBytes);
    this.#drawn = concatBytes(unused, fresh);
    this.#end += count;
  }

  async #readUnused(end: number): Promise<void> {
    const cells = new Uint8Array((end - this.#next) * keyBytes);
    // A torn last cell is left behind.
    const whole = Math.floor((await readAll(this.#cells, cells, this.#next * keyBytes)) / keyBytes);
    this.#drawn = cells.subarray(0, whole * keyBytes);
    this.#end = this.#next + whole;
  }
}

/** Without durable salts there is no record. */
function orFailed<T>(written: Promise<T>): Promise<T> {
  return written.catch((cause: unknown) => {
    throw storageError(cause, "the keystore of salts cannot be written");
  });
}

/** A record has a cell for each two salts. */
function cellsFor(salts: number): number {
  return Math.ceil(salts / 2);
}

function addSalts(to: Salt[], count: number, group: number, key: Uint8Array): void {
  const [even, odd] = deriveSalts(key);
  to.push({ slot: group * 2, salt: even, key });
  if (to.length < count) to.push({ slot: group * 2 + 1, salt: odd, key });
}

function subkey(deviceKey: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", deviceKey, "", purpose, keyBytes));
}

async function readDeviceKey(path: string): Promise<Uint8Array> {
  const known = await readIfPresent(path);
  if (known?.length === keyBytes) return known;
  if (known !== undefined) {
    throw new EdgeError("damaged", `${path} has ${known.length} bytes, not ${keyBytes}`, {
      hint: "put the file back: records of known subjects cannot be found without it",
    });
  }
  const key = randomBytes(keyBytes);
  await writeDurably(path, key);
  return key;
}
