import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { cp, mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { openSqlite } from "@tally/oci";
import { PlaneError } from "../error.ts";
import { copyFileDurably } from "./copy-file.ts";
import { type BackupManifest, contentFolder, listFile, parseListed, readManifest } from "./manifest.ts";
import { markRestored } from "./restored-mark.ts";

export interface RestoreOptions {
  /** The backup's folder. */
  readonly from: string;
  /** The plane's folder to be: not there yet, or empty. */
  readonly dir: string;
  /** The plane's `keys` folder, for a backup that was taken without. */
  readonly keys?: string;
  /** Milliseconds since 1970. */
  readonly now?: number;
}

/** What makes a folder a plane's: written last, so that half a restore is none. */
const lastFile = "plane.json";

/**
 * Makes a plane's folder from a backup, every file checked by its digest. Sessions of devices end, so that each opens a new one
 * and shows the newest checkpoint of this plane that it has seen. The plane signs nothing in the folder until its witnesses,
 * or its devices, have told that nothing beyond it was published.
 *
 * @throws PlaneError `configuration` for a backup that is not whole or lacks keys, and for a folder that is not empty.
 */
export async function restorePlane(options: RestoreOptions): Promise<BackupManifest> {
  const { from, dir, keys, now = Date.now() } = options;
  const manifest = await readManifest(from);
  if (!manifest.keys && keys === undefined) {
    throw new PlaneError("configuration", "the backup was taken without the plane's keys", {
      hint: "give the folder that has them: --keys DIR",
    });
  }
  await checkList(from, manifest);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  if ((await readdir(dir)).length > 0) {
    throw new PlaneError("configuration", `${dir} is not empty`, { hint: "restore into a new folder" });
  }
  for await (const { path, size, sha256 } of listed(from)) {
    if (path !== lastFile) await take(from, dir, path, { size, sha256 });
  }
  if (keys !== undefined) await takeKeys(keys, join(dir, "keys"));
  await endSessions(join(dir, "plane.db"));
  await markRestored(dir, { backupAt: manifest.at, restoredAt: now });
  for await (const { path, size, sha256 } of listed(from)) {
    if (path === lastFile) await take(from, dir, path, { size, sha256 });
  }
  return manifest;
}

async function checkList(from: string, { list, files }: BackupManifest): Promise<void> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(join(from, listFile))) hash.update(chunk as Buffer);
  let n = 0;
  for await (const _ of listed(from)) n += 1;
  if (hash.digest("hex") === list && n === files) return;
  throw damaged(`${listFile} is not the one that was written`);
}

async function* listed(from: string) {
  for await (const line of createInterface({ input: createReadStream(join(from, listFile)) })) yield parseListed(line);
}

async function take(from: string, dir: string, path: string, wanted: { size: number; sha256: string }): Promise<void> {
  const copied = await copyFileDurably(join(from, contentFolder, path), join(dir, path)).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") throw damaged(`${path} is missing`);
    throw error;
  });
  if (copied.size !== wanted.size || copied.sha256 !== wanted.sha256) throw damaged(`${path} was altered`);
}

async function takeKeys(from: string, to: string): Promise<void> {
  if (!(await stat(from)).isDirectory()) throw new PlaneError("configuration", `${from} is no folder of keys`);
  await cp(from, to, { recursive: true, force: false });
}

/** People's tokens stay good: they grant access and never trust. */
async function endSessions(path: string): Promise<void> {
  const db = await openSqlite(path);
  try {
    await db.run("DELETE FROM token WHERE origin IS NOT NULL");
  } finally {
    await db.close();
  }
}

function damaged(what: string): PlaneError {
  return new PlaneError("configuration", `the backup is damaged: ${what}`, { hint: "restore another backup" });
}
