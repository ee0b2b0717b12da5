import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parseCheckpoint, utf8 } from "@tally/evidence";
import { nodeFiles, writeDurably } from "@tally/ledger";
import { PlaneError } from "../error.ts";
import { copyFileDurably } from "./copy-file.ts";
import { cutOf, type LogCut } from "./copy-log.ts";
import { type BackupManifest, contentFolder, listFile, manifestFile, manifestOf } from "./manifest.ts";

export interface BackupOptions {
  /** The plane's folder. The plane may run. */
  readonly dir: string;
  /** A folder that is not there yet, or is empty. */
  readonly to: string;
  /** Whether private keys and the first administrator's token go with it. Default true: without them nothing can go on. */
  readonly keys?: boolean;
  /** Milliseconds since 1970. */
  readonly now?: number;
}

/** Of a process, of a moment, or made again by itself. */
const leftOut = /^(lock\..*|reserve|.*\.tmp|staged|temporary|plane\.db.*|restored\.json)$/;
const secrets = new Set(["keys", "admin.token", "ticket.key"]);

/**
 * Copies a plane's folder to another one while the plane runs, so that what `restorePlane` makes of it is a plane as it
 * was at one moment. The order makes it so: whatever names something is copied before what it names.
 *
 *     database → plane's log → mirrored ledgers → fleet log → all the rest → blobs
 *
 * Rows that the logs know better are made again at the start. Blobs are durable before anything names them.
 *
 * @throws PlaneError `configuration` for a folder that holds no plane, and for a target that is not empty.
 */
export async function backupPlane(options: BackupOptions): Promise<BackupManifest> {
  const { dir, to, keys = true, now = Date.now() } = options;
  const plane = await nameOf(dir);
  await mkdir(to, { recursive: true, mode: 0o700 });
  if ((await readdir(to)).length > 0) {
    throw new PlaneError("configuration", `${to} is not empty`, { hint: "give a new folder for each backup" });
  }
  const list = await open(join(to, listFile), "wx", 0o600);
  const backup = new Backup(dir, join(to, contentFolder), list, keys);
  try {
    await backup.database("plane.db");
    const log = await backup.log("logs/log");
    await backup.folder("mirror");
    const fleet = await backup.log("logs/fleet");
    await backup.folder("", new Set(["logs", "mirror", "blobs", "registry", "answers"]));
    for (const store of ["blobs", "registry"]) await backup.folder(store);
    await list.sync();
    const { ledgers, files, bytes } = backup;
    const manifest = manifestOf({
      plane,
      at: now,
      keys,
      logs: { log, fleet },
      ledgers,
      files,
      bytes,
      list: backup.list(),
    });
    await writeDurably(nodeFiles, join(to, manifestFile), utf8(`${JSON.stringify(manifest, null, 2)}\n`));
    return manifest;
  } finally {
    await list.close();
  }
}

async function nameOf(dir: string): Promise<string> {
  try {
    const { name } = JSON.parse(await readFile(join(dir, "plane.json"), "utf8")) as { name?: unknown };
    if (typeof name === "string") return name;
  } catch {}
  throw new PlaneError("configuration", `${dir} holds no plane`, {
    hint: "give the folder that `tally serve --dir` has",
  });
}

class Backup {
  ledgers = 0;
  files = 0;
  bytes = 0;
  readonly #from: string;
  readonly #to: string;
  readonly #list: FileHandle;
  readonly #keys: boolean;
  readonly #hash = createHash("sha256");

  constructor(from: string, to: string, list: FileHandle, keys: boolean) {
    this.#from = from;
    this.#to = to;
    this.#list = list;
    this.#keys = keys;
  }

  /** SHA-256 of the list, once all is in it. */
  list(): string {
    return this.#hash.digest("hex");
  }

  /** A consistent copy by SQLite itself, whoever writes meanwhile. */
  async database(path: string): Promise<void> {
    await mkdir(this.#to, { recursive: true, mode: 0o700 });
    const snapshot = join(this.#to, `${path}.snapshot`);
    const db = new DatabaseSync(join(this.#from, path), { timeout: 60_000 });
    try {
      db.prepare("VACUUM INTO ?").run(snapshot);
    } finally {
      db.close();
    }
    await this.#note(path, await copyFileDurably(snapshot, join(this.#to, path)));
    await rm(snapshot);
  }

  /** A log: its checkpoint first, then its files cut where they belong together. */
  async log(path: string): Promise<{ size: number; signed: number }> {
    const signed = await this.#checkpoint(path);
    const cut = await cutOf(join(this.#from, path));
    await this.#cut(path, cut);
    await this.#file(`${path}/log.json`);
    return { size: cut.size, signed };
  }

  /** Everything beneath a folder, but for what is named in `except`. A folder that is not there has nothing. */
  async folder(path: string, except: ReadonlySet<string> = new Set()): Promise<void> {
    const here = await readdir(join(this.#from, path), { withFileTypes: true }).catch(absent);
    if (here === undefined) return;
    const names = here.filter(({ name }) => this.#wanted(name) && !except.has(name));
    const placed = (name: string) => (path === "" ? name : `${path}/${name}`);
    // A mirror's checkpoint is over entries that were stored before it, and entries lie below a pending one.
    const mirrored = names.some(({ name }) => name === "mirrored.json");
    if (mirrored) await this.#file(placed("mirrored.json"));
    if (names.some(({ name }) => name === "pending.json")) this.ledgers += 1;
    for (const { name } of names.filter((entry) => entry.isDirectory())) {
      const inner = placed(name);
      if (await this.#isLog(inner)) await this.log(inner);
      else await this.folder(inner);
    }
    for (const { name } of names.filter((entry) => entry.isFile())) {
      if (name !== "mirrored.json") await this.#file(placed(name));
    }
  }

  #wanted(name: string): boolean {
    return !leftOut.test(name) && (this.#keys || !secrets.has(name));
  }

  async #isLog(path: string): Promise<boolean> {
    return (await readFile(join(this.#from, path, "log.json")).catch(absent)) !== undefined;
  }

  async #checkpoint(path: string): Promise<number> {
    const bytes = await readFile(join(this.#from, path, "checkpoint")).catch(absent);
    if (bytes === undefined) return 0;
    await this.#file(`${path}/checkpoint`);
    return parseCheckpoint(await readFile(join(this.#to, path, "checkpoint"))).checkpoint.size;
  }

  async #cut(path: string, { lengths }: LogCut): Promise<void> {
    for (const [name, length] of Object.entries(lengths)) await this.#file(`${path}/${name}`, length);
  }

  async #file(path: string, limit?: number): Promise<void> {
    const copied = await copyFileDurably(join(this.#from, path), join(this.#to, path), limit).catch(absent);
    // A blob that nothing needs any more may go while others are copied.
    if (copied !== undefined) await this.#note(path, copied);
  }

  async #note(path: string, { size, sha256 }: { size: number; sha256: string }): Promise<void> {
    const line = `${JSON.stringify({ path, size, sha256 })}\n`;
    this.#hash.update(line);
    await this.#list.appendFile(line);
    this.files += 1;
    this.bytes += size;
  }
}

function absent(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
  throw error;
}
