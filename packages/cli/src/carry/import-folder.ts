import { mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const prefix = "tally-import-";
const ownerFile = "owner.json";

/** The process that a folder is of; ids of processes mean something within one namespace of them only. */
interface Owner {
  readonly pid: number;
  readonly namespace: string;
}

/**
 * A folder for what an import unpacks, for as long as it is disposed of. An import that was killed leaves one as large as its
 * tar behind: those of processes that are gone are removed first. Where the system does not say which processes there are, none is.
 */
export async function importFolder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const namespace = await readlink("/proc/self/ns/pid").catch(() => undefined);
  if (namespace !== undefined) await removeAbandoned(namespace);
  const path = await mkdtemp(join(tmpdir(), prefix));
  const owner = { pid: process.pid, namespace: namespace ?? "unknown" } satisfies Owner;
  await writeFile(join(path, ownerFile), JSON.stringify(owner));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function removeAbandoned(namespace: string): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(prefix)) continue;
    const path = join(tmpdir(), name);
    try {
      const { pid, namespace: of } = JSON.parse(await readFile(join(path, ownerFile), "utf8")) as Owner;
      if (of === namespace && Number.isSafeInteger(pid) && pid > 0 && isGone(pid))
        await rm(path, { recursive: true, force: true });
    } catch {
      // Another user's, or one that is just being made.
    }
  }
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
