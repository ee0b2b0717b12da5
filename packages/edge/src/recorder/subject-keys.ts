import { createDecipheriv, createHmac, randomBytes } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { EdgeError } from "../error.ts";
import { keyBytes } from "./salt-derivation.ts";
import { openOrCreate, readAll, writeAll } from "./shared-write.ts";

/** `keyed hash of the subject [32] ‖ key [32]` */
const rowBytes = 64;
const rowsAtATime = 1024;
const longestSubject = 1024;

/**
 * The keys of data subjects: a file of 64-byte rows, `keyed hash ‖ key`, numbered from 1. A destroyed row is zeros, and its
 * number is never used again.
 *
 * A subject is an opaque name that the application gives. On disk it is HMAC-SHA256 of that name under a key of this device;
 * nothing else holds it. Kept in memory: about 100 bytes for each subject.
 */
export class SubjectKeys {
  readonly file: FileHandle;
  readonly #indexKey: Uint8Array;
  /** Keyed hash, one character a byte, to number. */
  readonly #numbers = new Map<string, number>();
  /** Keys of subjects used lately. */
  readonly #keys = new Map<number, Uint8Array>();
  #rows = 0;

  private constructor(file: FileHandle, indexKey: Uint8Array) {
    this.file = file;
    this.#indexKey = indexKey;
  }

  static async open(path: string, indexKey: Uint8Array): Promise<SubjectKeys> {
    const subjects = new SubjectKeys(await openOrCreate(path), indexKey);
    const rows = Buffer.alloc(rowsAtATime * rowBytes);
    for (;;) {
      // A torn last row was of a record that is not in the ledger; it is overwritten.
      const whole = Math.floor((await readAll(subjects.file, rows, subjects.#rows * rowBytes)) / rowBytes);
      if (whole === 0) break;
      for (let i = 0; i < whole; i++) {
        const row = rows.subarray(i * rowBytes, (i + 1) * rowBytes);
        subjects.#rows += 1;
        if (!isZero(row)) subjects.#numbers.set(row.toString("latin1", 0, keyBytes), subjects.#rows);
      }
    }
    rows.fill(0);
    return subjects;
  }

  /** The number of a subject that has a key. */
  find(subject: string): number | undefined {
    return this.#numbers.get(this.#hash(subject).toString("latin1"));
  }

  /**
   * The number of a subject; a new one gets a key, which is durable once `write` was done and synced.
   *
   * @throws EdgeError `content-invalid` for an empty or very long name
   */
  number(subject: string): { readonly number: number; readonly write?: () => Promise<void> } {
    const hash = this.#hash(subject);
    const name = hash.toString("latin1");
    const known = this.#numbers.get(name);
    if (known !== undefined) return { number: known };
    this.#rows += 1;
    const number = this.#rows;
    const key = randomBytes(keyBytes);
    this.#numbers.set(name, number);
    this.#remember(number, key);
    return { number, write: () => writeAll(this.file, Buffer.concat([hash, key]), (number - 1) * rowBytes) };
  }

  /** From now on the subject is new: records get another key. What has the old one keeps it until it is destroyed. */
  retire(subject: string): void {
    this.#numbers.delete(this.#hash(subject).toString("latin1"));
  }

  /** Overwrites the key; durable once synced. */
  async destroy(number: number): Promise<void> {
    this.#keys.get(number)?.fill(0);
    this.#keys.delete(number);
    for (const [name, known] of this.#numbers) if (known === number) this.#numbers.delete(name);
    await writeAll(this.file, new Uint8Array(rowBytes), (number - 1) * rowBytes);
  }

  /** A record's key, of the cell that holds it encrypted; undefined where the subject's key was destroyed. */
  async recordKey(number: number, group: number, cell: Uint8Array): Promise<Uint8Array | undefined> {
    const key = await this.key(number);
    return key === undefined ? undefined : decryptCell(key, group, cell);
  }

  /** The key itself; undefined where it was destroyed. */
  async key(number: number): Promise<Uint8Array | undefined> {
    return this.#keys.get(number) ?? (await this.#read(number));
  }

  async #read(number: number): Promise<Uint8Array | undefined> {
    const row = new Uint8Array(rowBytes);
    const read = await readAll(this.file, row, (number - 1) * rowBytes);
    const key = row.subarray(keyBytes);
    if (read < rowBytes || isZero(row)) return undefined;
    this.#remember(number, key);
    return key;
  }

  #remember(number: number, key: Uint8Array): void {
    this.#keys.set(number, key);
    if (this.#keys.size > 4096) this.#keys.delete(this.#keys.keys().next().value!);
  }

  #hash(subject: string): Buffer {
    const name = Buffer.from(subject);
    if (name.length === 0 || name.length > longestSubject) {
      throw new EdgeError("content-invalid", `a subject has 1 to ${longestSubject} bytes, not ${name.length}`, {
        hint: "give an opaque id, the same for the same person",
      });
    }
    return createHmac("sha256", this.#indexKey).update(name).digest();
  }
}

/**
 * AES-256-CTR. A cell is drawn at random and stands for what it decrypts to, so it needs no writing when a record takes it.
 * The counter block is the cell's number, and a cell is two blocks long, so no block of the key stream is used twice.
 */
function decryptCell(key: Uint8Array, group: number, cell: Uint8Array): Uint8Array {
  const counter = Buffer.alloc(16);
  counter.writeBigUInt64BE(BigInt(group), 0);
  return createDecipheriv("aes-256-ctr", key, counter).update(cell);
}

export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
