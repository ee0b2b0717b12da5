/**
 * A disk in memory that can lose power. Until a file is synced, each write to it may be lost, kept, or kept in part, whatever
 * its order; new names and renames survive in order up to some point, all of them once their directory is synced. That is
 * less than any real file system promises.
 */
import { dirname } from "node:path";
import { LedgerError } from "../error.ts";
import type { Files, FolderLock, OpenDirectory, OpenFile } from "../files/index.ts";

type Change = { readonly at: number; readonly bytes: Uint8Array } | { readonly length: number };

class Inode {
  contents: Uint8Array = new Uint8Array(0);
  durable: Uint8Array = new Uint8Array(0);
  unsynced: Change[] = [];

  change(change: Change): void {
    this.contents = applyChange(this.contents, change);
    this.unsynced.push(change);
  }
}

/** Thrown by every operation from the moment of the cut on. */
export class PowerCut extends Error {
  override readonly name = "PowerCut";
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class SimulatedDisk implements Files {
  readonly #names: Map<string, Inode>;
  #durableNames: Map<string, Inode>;
  #nameChanges: { readonly directory: string; readonly apply: (names: Map<string, Inode>) => void }[] = [];
  readonly #locks = new Set<string>();
  /** Operations that changed or synced something, so far. */
  operations = 0;
  /** The operation at which the power goes; never by default. */
  cutAt = Number.POSITIVE_INFINITY;
  /** Syncs fail while set: as on Linux the pages then count as written though the disk never got them. */
  syncsFail = false;
  /** Bytes that fit; no bound by default. */
  capacity = Number.POSITIVE_INFINITY;

  constructor(names: Map<string, Inode> = new Map()) {
    this.#names = new Map(names);
    this.#durableNames = new Map(names);
  }

  /** What the disk holds when the power is back. */
  afterPowerCut(random: () => number): SimulatedDisk {
    const names = new Map(this.#durableNames);
    const kept = Math.floor(random() * (this.#nameChanges.length + 1));
    for (const change of this.#nameChanges.slice(0, kept)) change.apply(names);
    const fresh = new Map<string, Inode>();
    for (const [path, inode] of names) {
      let contents: Uint8Array = inode.durable.slice();
      for (const change of inode.unsynced) {
        const fate = random();
        if (fate < 0.4) continue;
        contents = applyChange(contents, fate < 0.7 ? torn(change, contents, random) : change);
      }
      const survivor = new Inode();
      survivor.contents = contents;
      survivor.durable = contents;
      fresh.set(path, survivor);
    }
    return new SimulatedDisk(fresh);
  }

  /** The process ended, the machine did not: what was written is there for the next one, synced or not. */
  afterProcessDied(): this {
    this.cutAt = Number.POSITIVE_INFINITY;
    this.syncsFail = false;
    this.#locks.clear();
    return this;
  }

  async open(path: string, mode: "read" | "write"): Promise<OpenFile> {
    let inode = this.#names.get(path);
    if (inode === undefined) {
      if (mode === "read") throw missing(path);
      this.#step();
      const created = new Inode();
      inode = created;
      this.#rename(dirname(path), (names) => names.set(path, created));
    }
    return this.#handle(inode);
  }

  async readWhole(path: string): Promise<Uint8Array | undefined> {
    return this.#names.get(path)?.contents.slice();
  }

  async rename(from: string, to: string): Promise<void> {
    this.#step();
    const inode = this.#names.get(from);
    if (inode === undefined) throw missing(from);
    this.#rename(dirname(to), (names) => {
      names.delete(from);
      names.set(to, inode);
    });
  }

  async remove(path: string): Promise<void> {
    this.#step();
    this.#rename(dirname(path), (names) => names.delete(path));
  }

  async list(directory: string): Promise<string[]> {
    const below = [...this.#names.keys()].filter((path) => path.startsWith(`${directory}/`));
    return [...new Set(below.map((path) => path.slice(directory.length + 1).split("/")[0]!))].sort();
  }

  async makeDirectory(): Promise<void> {}

  async openDirectory(directory: string): Promise<OpenDirectory> {
    const sync = async () => {
      this.#step();
      for (const change of this.#nameChanges) if (change.directory === directory) change.apply(this.#durableNames);
      this.#nameChanges = this.#nameChanges.filter((change) => change.directory !== directory);
    };
    return { sync, close: async () => {} };
  }

  async lock(directory: string): Promise<FolderLock> {
    if (this.#locks.has(directory)) throw new LedgerError("locked", `${directory} is in use`);
    this.#locks.add(directory);
    return { release: async () => void this.#locks.delete(directory) };
  }

  /** Bytes in all files. */
  get used(): number {
    return [...this.#names.values()].reduce((sum, inode) => sum + inode.contents.length, 0);
  }

  #handle(inode: Inode): OpenFile {
    return {
      read: async (into, position) => {
        const there = inode.contents.subarray(position, position + into.length);
        into.set(there);
        return there.length;
      },
      write: async (bytes, position) => {
        const more = Math.max(0, position + bytes.length - inode.contents.length);
        if (this.used + more > this.capacity) throw Object.assign(new Error("ENOSPC: disk full"), { code: "ENOSPC" });
        // A write that is under way when the power goes may still reach the disk.
        inode.change({ at: position, bytes: bytes.slice() });
        this.#step();
      },
      truncate: async (length) => {
        inode.change({ length });
        this.#step();
      },
      sync: async () => {
        this.#step();
        if (this.syncsFail) {
          inode.unsynced = [];
          throw Object.assign(new Error("EIO: fsync failed"), { code: "EIO" });
        }
        // Not simply all contents: what a failed sync let go of never gets there by a later one.
        inode.durable = inode.unsynced.reduce(applyChange, inode.durable);
        inode.unsynced = [];
      },
      size: async () => inode.contents.length,
      close: async () => {},
    };
  }

  #rename(directory: string, apply: (names: Map<string, Inode>) => void): void {
    apply(this.#names);
    this.#nameChanges.push({ directory, apply });
  }

  #step(): void {
    if (this.operations >= this.cutAt) throw new PowerCut("the power is gone");
    this.operations += 1;
  }
}

function applyChange(contents: Uint8Array, change: Change): Uint8Array {
  if ("length" in change) {
    const cut = new Uint8Array(change.length);
    cut.set(contents.subarray(0, change.length));
    return cut;
  }
  if (change.bytes.length === 0) return contents;
  const grown = new Uint8Array(Math.max(contents.length, change.at + change.bytes.length));
  grown.set(contents);
  grown.set(change.bytes, change.at);
  return grown;
}

/** Some part of a write; where the file became longer, zeros may stand for the rest. */
function torn(change: Change, before: Uint8Array, random: () => number): Change {
  if ("length" in change) return change;
  const cut = Math.floor(random() * change.bytes.length);
  const kind = random();
  if (kind < 0.4) return { at: change.at, bytes: change.bytes.slice(0, cut) };
  const bytes = new Uint8Array(change.bytes.length);
  bytes.set(before.subarray(change.at, change.at + bytes.length));
  if (kind < 0.7) bytes.set(change.bytes.subarray(0, cut));
  else bytes.set(change.bytes.subarray(cut), cut);
  return { at: change.at, bytes };
}

function missing(path: string): Error {
  return Object.assign(new Error(`ENOENT: ${path}`), { code: "ENOENT" });
}
