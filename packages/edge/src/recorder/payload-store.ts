import { type FileHandle, mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { type CborValue, concatBytes, decodeCborFirst, encodeCbor, isCborList } from "@tally/evidence";
import { EdgeError, messageOf } from "../error.ts";
import { readIfPresent, writeDurably } from "../folder/durable-file.ts";

export type PayloadRole = "input" | "output" | "label";

/** Content that capture policy keeps: the canonical bytes whose digest an entry commits to; in the store they are sealed. */
export interface Payload {
  /** Index of the entry that commits to it. */
  readonly index: number;
  readonly role: PayloadRole;
  /** Where its salt lies. */
  readonly slot: number;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

interface StoredFile {
  readonly first: number;
  last: number;
  bytes: number;
}

const rollBytes = 4 * 1024 * 1024;
/** Records whose payloads are not kept before a failed disk is tried again. */
const retryAfter = 1024;

/**
 * Payloads waiting to be packed in segments, in files of about 4 MiB. Each file is a CBOR sequence of
 * [index, role, slot, media type, bytes] in order of index and is named by its first index: `000000004711.cborseq`.
 *
 * Payloads are written beside the ledger, not before it: an unclean stop may lose the newest of them, and a reader takes
 * only what matches its commitment. At `limit` bytes capturing pauses until something was packed.
 */
export class PayloadStore {
  readonly #folder: string;
  readonly #limit: number;
  readonly #files: StoredFile[];
  /** The file that grows; what an earlier process wrote is never appended to. */
  #growing: StoredFile | undefined;
  #handle: { readonly of: StoredFile; readonly file: FileHandle } | undefined;
  #queue: Promise<void> = Promise.resolve();
  #failure: EdgeError | undefined;
  /** How often there was no room because writing had failed. */
  #refused = 0;

  private constructor(folder: string, limit: number, files: StoredFile[]) {
    this.#folder = folder;
    this.#limit = limit;
    this.#files = files;
  }

  /** Opens the store of a ledger that has `size` entries; payloads of entries that were lost go. */
  static async open(folder: string, limit: number, size: number): Promise<PayloadStore> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const names = (await readdir(folder)).filter((name) => /^\d{12}\.cborseq$/.test(name)).sort();
    const files: StoredFile[] = [];
    for (const name of names) {
      const path = join(folder, name);
      const bytes = await readFile(path);
      const items = decodeItems(bytes);
      const kept = items.filter(({ index }) => index < size);
      if (kept.length === 0) await rm(path);
      else if (kept.length < items.length) await writeDurably(path, concatBytes(...kept.map(encodeItem)));
      if (kept.length > 0)
        files.push({ first: Number(name.slice(0, 12)), last: kept.at(-1)!.index, bytes: bytes.length });
    }
    return new PayloadStore(folder, limit, files);
  }

  /** Bytes kept now, those being written included. */
  get bytes(): number {
    return this.#files.reduce((sum, file) => sum + file.bytes, 0);
  }

  /** False also once writing has failed; now and then it is tried again. */
  hasRoomFor(bytes: number): boolean {
    if (this.#failure !== undefined) {
      this.#refused += 1;
      if (this.#refused % retryAfter !== 0) return false;
      // What the failed write left behind is never appended to.
      this.#failure = undefined;
      this.#growing = undefined;
    }
    return this.bytes + bytes <= this.#limit;
  }

  /** The ledger has `size` entries again, after some were lost: payloads of those go as far as they would stand in the way. */
  async recover(size: number): Promise<void> {
    await this.#queue;
    await this.#closeHandle().catch(() => {});
    const stale = this.#files.filter(({ first }) => first >= size);
    this.#files.splice(0, this.#files.length, ...this.#files.filter(({ first }) => first < size));
    this.#growing = undefined;
    this.#failure = undefined;
    for (const { first } of stale) await rm(join(this.#folder, fileName(first)), { force: true });
  }

  /** Keeps payloads of one entry. Call in order of index. Resolves when they are written. */
  append(payloads: readonly Payload[]): Promise<void> {
    if (payloads.length === 0) return Promise.resolve();
    const index = payloads[0]!.index;
    const encoded = concatBytes(...payloads.map(encodeItem));
    if (this.#growing === undefined || this.#growing.bytes >= rollBytes) {
      this.#growing = { first: index, last: index, bytes: 0 };
      this.#files.push(this.#growing);
    }
    const file = this.#growing;
    file.bytes += encoded.length;
    file.last = index;
    return this.#enqueue(async () => (await this.#handleOf(file)).appendFile(encoded));
  }

  /** Payloads of the entries [from, to), in order. */
  async *read(from: number, to: number): AsyncGenerator<Payload> {
    await this.#queue;
    for (const { first, last } of [...this.#files]) {
      if (last < from || first >= to) continue;
      const bytes = await readFile(join(this.#folder, fileName(first)));
      for (const item of decodeItems(bytes)) if (item.index >= from && item.index < to) yield item;
    }
  }

  /** Deletes the files that hold nothing from entry `index` on. */
  async discardBefore(index: number): Promise<void> {
    const old = this.#files.filter(({ last }) => last < index);
    this.#files.splice(0, this.#files.length, ...this.#files.filter((file) => !old.includes(file)));
    if (this.#growing !== undefined && old.includes(this.#growing)) this.#growing = undefined;
    await this.#enqueue(async () => {
      for (const file of old) {
        if (this.#handle?.of === file) await this.#closeHandle();
        await rm(join(this.#folder, fileName(file.first)), { force: true });
      }
    });
  }

  /** Removes the payloads of these entries: their files are written anew without them. */
  async erase(indices: ReadonlySet<number>): Promise<void> {
    if (indices.size === 0) return;
    await this.#enqueue(async () => {
      for (const file of [...this.#files]) {
        const path = join(this.#folder, fileName(file.first));
        if (![...indices].some((index) => index >= file.first && index <= file.last)) continue;
        if (this.#handle?.of === file) await this.#closeHandle();
        const bytes = await readIfPresent(path);
        if (bytes === undefined) continue;
        const staying = concatBytes(
          ...decodeItems(bytes)
            .filter(({ index }) => !indices.has(index))
            .map(encodeItem),
        );
        await writeDurably(path, staying);
        file.bytes -= bytes.length - staying.length;
      }
    });
  }

  async close(): Promise<void> {
    await this.#queue;
    await this.#closeHandle();
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(() => {
      if (this.#failure !== undefined) throw this.#failure;
      return work();
    });
    this.#queue = done.catch((cause: unknown) => {
      this.#failure ??= new EdgeError("record-failed", `payloads cannot be written: ${messageOf(cause)}`, {
        cause,
        hint: "make room or repair the disk, then open the device again",
      });
    });
    return done;
  }

  async #handleOf(file: StoredFile): Promise<FileHandle> {
    if (this.#handle?.of === file) return this.#handle.file;
    await this.#closeHandle();
    this.#handle = { of: file, file: await open(join(this.#folder, fileName(file.first)), "a", 0o600) };
    return this.#handle.file;
  }

  async #closeHandle(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.file.close();
  }
}

/** What a store's folder keeps of one entry, sealed; read from beside it, also while a device appends. */
export async function readPayloads(folder: string, index: number): Promise<readonly Payload[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const before = names.filter((name) => /^\d{12}\.cborseq$/.test(name) && Number(name.slice(0, 12)) <= index).sort();
  const last = before.at(-1);
  const bytes = last === undefined ? undefined : await readIfPresent(join(folder, last));
  return bytes === undefined ? [] : decodeItems(bytes).filter((item) => item.index === index);
}

function fileName(first: number): string {
  return `${String(first).padStart(12, "0")}.cborseq`;
}

function encodeItem({ index, role, slot, mediaType, bytes }: Payload): Uint8Array {
  return encodeCbor([index, role, slot, mediaType, bytes]);
}

/** The whole items of a file; a torn last one is left out. */
function decodeItems(bytes: Uint8Array): Payload[] {
  const items: Payload[] = [];
  for (let start = 0; start < bytes.length; ) {
    let decoded: { value: CborValue; end: number };
    try {
      decoded = decodeCborFirst(bytes, start);
    } catch {
      return items;
    }
    if (!isCborList(decoded.value)) return items;
    const [index, role, slot, mediaType, content] = decoded.value;
    items.push({ index, role, slot, mediaType, bytes: content } as Payload);
    start = decoded.end;
  }
  return items;
}
