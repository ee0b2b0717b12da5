import { hash } from "node:crypto";
import { join } from "node:path";
import { type HashText, putHash } from "@tally/evidence";
import { readIfPresent, writeDurably } from "../folder/durable-file.ts";

const digestBytes = 16;
const rowBytes = digestBytes + 4;
/** Inputs that are remembered; the one seen longest ago makes room. About 10 MiB of memory. */
const defaultCapacity = 65_536;

/** How often inputs came again, of those that are remembered. */
export interface RepeatCounts {
  /** Inputs that are remembered. */
  readonly inputs: number;
  /** Of these, inputs that were recorded more than once. */
  readonly repeated: number;
  /** Records that had the most frequent of them as their input. */
  readonly most: number;
}

/**
 * Notices inputs that are recorded again (evidence.md 7): by a digest under a key of this device, since fresh salts hide
 * repeats from everyone else. Neither the digests nor the key leave the device's `salts` folder.
 *
 * The keyed digest is SHA-256(key ‖ SHA-256 of the content), both 32 bytes, cut to 16. It is kept on a clean stop; an unclean
 * one forgets what came since the last.
 */
export class Repeats {
  readonly #path: string;
  readonly #capacity: number;
  readonly #input = new Uint8Array(64);
  /** Digest, one character a byte, to how often; the one seen last stands last. */
  readonly #counts = new Map<string, number>();

  private constructor(path: string, key: Uint8Array, capacity: number) {
    this.#path = path;
    this.#capacity = capacity;
    this.#input.set(key);
  }

  /** @param key of this device alone, 32 bytes */
  static async open(saltFolder: string, key: Uint8Array, capacity = defaultCapacity): Promise<Repeats> {
    const path = join(saltFolder, "repeats");
    const repeats = new Repeats(path, key, capacity);
    const bytes = Buffer.from((await readIfPresent(path)) ?? []);
    for (let at = 0; at + rowBytes <= bytes.length; at += rowBytes) {
      repeats.#counts.set(bytes.toString("latin1", at, at + digestBytes), bytes.readUInt32LE(at + digestBytes));
    }
    return repeats;
  }

  /** Counts an input by the SHA-256 of its content, and says how often it has been recorded now. */
  note(content: HashText): number {
    putHash(content, this.#input, 32);
    const digest = hash("sha256", this.#input, "latin1").slice(0, digestBytes);
    const count = Math.min((this.#counts.get(digest) ?? 0) + 1, 0xffff_ffff);
    if (count > 1) this.#counts.delete(digest);
    this.#counts.set(digest, count);
    if (this.#counts.size > this.#capacity) this.#counts.delete(this.#counts.keys().next().value!);
    return count;
  }

  counts(): RepeatCounts {
    let [repeated, most] = [0, 0];
    for (const count of this.#counts.values()) {
      if (count > 1) repeated += 1;
      most = Math.max(most, count);
    }
    return { inputs: this.#counts.size, repeated, most };
  }

  /** Forgets everything, also on disk: what was erased must not be recognised either. */
  async forget(): Promise<void> {
    this.#counts.clear();
    await this.close();
  }

  /** Keeps what is known for the next start. */
  async close(): Promise<void> {
    const rows = Buffer.alloc(this.#counts.size * rowBytes);
    let at = 0;
    for (const [digest, count] of this.#counts) {
      rows.write(digest, at, "latin1");
      rows.writeUInt32LE(count, at + digestBytes);
      at += rowBytes;
    }
    await writeDurably(this.#path, rows);
  }
}
