/**
 * One process per folder, without a lock call of the operating system (Node has none).
 *
 * A lock is an empty file whose *name* says who holds it, so that creating it is the whole, atomic act:
 *
 *     lock.<boot>.<pid>.<start>.<n>      lock.5f0c2a91.4711.8812345.1
 *
 * Create first, then look: of two that arrive together at least one sees the other and gives way. A lock whose process
 * is gone is removed; a name never comes back, so a late remover cannot remove a live lock. Where /proc tells, the boot and the
 * start time of the process keep a reused pid from looking alive.
 */
import { readFileSync } from "node:fs";
import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { LedgerError } from "../error.ts";
import type { FolderLock } from "./files.ts";

const NAME = /^lock\.([0-9a-f]+)\.(\d+)\.(\d+)\.(\d+)$/;
let taken = 0;

/** Takes `directory` for this process; LedgerError `locked` names the process that has it. */
export async function lockFolder(directory: string): Promise<FolderLock> {
  taken += 1;
  const name = `lock.${bootId()}.${process.pid}.${processStat(process.pid)?.start ?? 0}.${taken}`;
  const path = join(directory, name);
  await (await open(path, "wx", 0o600)).close();
  try {
    for (const other of await readdir(directory)) {
      const holder = NAME.exec(other);
      if (holder === null || other === name) continue;
      if (isAlive(holder)) {
        throw new LedgerError("locked", `${directory} is in use by process ${holder[2]}`, {
          hint: "stop that process, or use another folder",
        });
      }
      await rm(join(directory, other), { force: true });
    }
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
  return { release: () => rm(path, { force: true }) };
}

function isAlive([, boot, pid, start]: RegExpExecArray): boolean {
  if (boot !== bootId()) return false;
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const found = processStat(Number(pid));
  return found === undefined || (found.start === start && !found.ended);
}

function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").slice(0, 8);
  } catch {
    return "0";
  }
}

/**
 * Out of /proc/<pid>/stat, fields counted after the name's closing parenthesis: state (3rd of all), threads (20th), start time in
 * clock ticks since boot (22nd). Undefined where there is no /proc. A process that ended stays listed as a zombie until its parent
 * asks for it; while threads of it remain, one may still be writing.
 */
function processStat(pid: number): { start: string | undefined; ended: boolean } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { start: fields[19], ended: /[ZX]/.test(fields[0] ?? "") && Number(fields[17]) <= 1 };
  } catch {
    return undefined;
  }
}
