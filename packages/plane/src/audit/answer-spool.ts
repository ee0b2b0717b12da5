import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { encodeCbor, type Question, questionToCbor } from "@tally/evidence";
import type { Clock } from "@tally/ledger";
import { PlaneError } from "../error.ts";
import { type AnswerDetail, streamAnswer } from "./answer.ts";
import type { AuditSource, CosignedCheckpoint } from "./source.ts";

export interface AnswerSpoolOptions {
  /** Folder of its own. What an earlier process has left there is removed. */
  readonly dir: string;
  readonly source: AuditSource;
  readonly clock: Clock;
  /** Bytes of all answers that are kept, those in the making among them; default 16 GiB. */
  readonly maxBytes?: number;
  /** Milliseconds that an answer is kept after it was last asked for; default an hour. */
  readonly keepMs?: number;
  /** Answers that are made at a time; default 2. */
  readonly maxAtOnce?: number;
}

/** An answer to be sent: a file that stays readable for as long as it is open, whatever becomes of its place. */
export interface SpooledAnswer {
  readonly file: FileHandle;
  readonly size: number;
  /** Names these very bytes: the hex of the bundle's trailer. */
  readonly tag: string;
}

interface Kept {
  readonly key: string;
  readonly question: string;
  readonly path: string;
  readonly size: number;
  readonly tag: string;
  lastUsed: number;
}

/**
 * Answers on disk, while they are sent: one is written once for a question and checkpoint, however many ask for it and
 * however often a download breaks off. Bounded in bytes and in time.
 */
export class AnswerSpool {
  readonly #options: Required<AnswerSpoolOptions>;
  readonly #kept = new Map<string, Kept>();
  readonly #making = new Map<string, Promise<Kept>>();
  #bytes = 0;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  private constructor(options: Required<AnswerSpoolOptions>) {
    this.#options = options;
  }

  static async open(options: AnswerSpoolOptions): Promise<AnswerSpool> {
    const { dir } = options;
    await mkdir(dir, { recursive: true, mode: 0o700 });
    for (const name of await readdir(dir)) await rm(join(dir, name), { recursive: true });
    return new AnswerSpool({ maxBytes: 16 * 2 ** 30, keepMs: 3_600_000, maxAtOnce: 2, ...options });
  }

  /** Bytes on disk. */
  get bytes(): number {
    return this.#bytes;
  }

  /** An answer that was given before and is still here, for a download that goes on. */
  async find(question: Question, tag: string): Promise<SpooledAnswer | undefined> {
    await this.#expire();
    const asked = keyOf(question);
    for (const kept of this.#kept.values()) if (kept.tag === tag && kept.question === asked) return this.#give(kept);
    return undefined;
  }

  /**
   * The answer as of the newest cosigned checkpoint, made if it is not there yet.
   *
   * @throws PlaneError as `answer`; `too-large` where it does not fit beside the others that are being made
   */
  async answer(question: Question, detail: AnswerDetail = "full"): Promise<SpooledAnswer> {
    await this.#expire();
    const at = await this.#options.source.newest();
    const key = keyOf(question, detail, at);
    const kept = this.#kept.get(key) ?? (await (this.#making.get(key) ?? this.#begin(key, question, detail, at)));
    return this.#give(kept);
  }

  #begin(key: string, question: Question, detail: AnswerDetail, at: CosignedCheckpoint | undefined): Promise<Kept> {
    const making = this.#inTurn(() => this.#make(key, question, detail, at)).finally(() => this.#making.delete(key));
    this.#making.set(key, making);
    return making;
  }

  async #make(
    key: string,
    question: Question,
    detail: AnswerDetail,
    at: CosignedCheckpoint | undefined,
  ): Promise<Kept> {
    const { dir, source, clock } = this.#options;
    const path = join(dir, `${key}.tally`);
    const file = await open(`${path}.part`, "w", 0o600);
    let size = 0;
    let last: Uint8Array = new Uint8Array();
    try {
      for await (const part of batched(streamAnswer(source, question, detail, at))) {
        await this.#makeRoom(part.length);
        this.#bytes += part.length;
        size += part.length;
        await file.writeFile(part);
        last = part;
      }
      await file.close();
      await rename(`${path}.part`, path);
    } catch (error) {
      this.#bytes -= size;
      await file.close();
      await rm(`${path}.part`, { force: true });
      throw error;
    }
    const tag = Buffer.from(last.subarray(-32)).toString("hex");
    const kept = { key, question: keyOf(question), path, size, tag, lastUsed: clock.now() };
    this.#kept.set(key, kept);
    return kept;
  }

  async #give(kept: Kept): Promise<SpooledAnswer> {
    kept.lastUsed = this.#options.clock.now();
    const { path, size, tag } = kept;
    return { file: await open(path, "r"), size, tag };
  }

  async #expire(): Promise<void> {
    const before = this.#options.clock.now() - this.#options.keepMs;
    for (const kept of this.#kept.values()) if (kept.lastUsed < before) await this.#remove(kept);
  }

  /** Lets go of what was asked for longest ago. Whoever is reading it holds it open. */
  async #makeRoom(bytes: number): Promise<void> {
    const { maxBytes } = this.#options;
    while (this.#bytes + bytes > maxBytes) {
      const [oldest] = [...this.#kept.values()].sort((a, b) => a.lastUsed - b.lastUsed);
      if (oldest === undefined) {
        throw new PlaneError(
          "too-large",
          `the answer is larger than the ${maxBytes} bytes that the plane keeps ready`,
          {
            hint: "ask for a shorter interval, one model, or single devices",
          },
        );
      }
      await this.#remove(oldest);
    }
  }

  async #remove(kept: Kept): Promise<void> {
    if (!this.#kept.delete(kept.key)) return;
    this.#bytes -= kept.size;
    await rm(kept.path, { force: true });
  }

  async #inTurn<T>(make: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#options.maxAtOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running += 1;
    try {
      return await make();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}

function keyOf(question: Question, detail: AnswerDetail = "full", at?: CosignedCheckpoint): string {
  const hash = createHash("sha256").update(encodeCbor(questionToCbor(question)));
  if (detail !== "full") hash.update(detail);
  if (at !== undefined) hash.update(createHash("sha256").update(at.note).digest());
  return hash.digest("hex");
}

const batchBytes = 256 * 1024;

/** Small parts together: a write to the disk for each would take most of the time. */
async function* batched(parts: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let batch: Uint8Array[] = [];
  let length = 0;
  for await (const part of parts) {
    batch.push(part);
    length += part.length;
    if (length < batchBytes) continue;
    yield Buffer.concat(batch);
    batch = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(batch);
}
