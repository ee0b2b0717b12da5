import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { usageError } from "../terminal/index.ts";

/** A stored log, and as what it lies there. */
export interface FoundLedger {
  /** Below the folder that was named; empty for that folder itself. */
  readonly name: string;
  readonly dir: string;
  /** `own`: with the checkpoint that its writer signed. `mirrored`: as a mirror keeps it. */
  readonly kind: "own" | "mirrored";
}

const HASH = /^[0-9a-f]{64}$/;

/**
 * The ledgers that a folder holds: a ledger's own folder, a device's (`journal`), one log of a mirror, a mirror (`logs/<hash>`), or a
 * plane's (both logs and its mirror).
 *
 * @throws CliError usage where there is none
 */
export async function findLedgers(dir: string): Promise<readonly FoundLedger[]> {
  const names = await readdir(dir);
  const has = (...wanted: string[]) => wanted.some((name) => names.includes(name));
  // A damaged ledger may lack any of its files, but not all.
  if (has("log.json", "entries", "commits", "checkpoint")) return [{ name: "", dir, kind: "own" }];
  if (has("pending.json", "mirrored.json")) return [{ name: "", dir, kind: "mirrored" }];
  if (has("journal")) return [{ name: "", dir: join(dir, "journal"), kind: "own" }];
  const found = [
    ...(has("logs") ? await below(dir, "logs") : []),
    ...(has("mirror") ? await below(dir, join("mirror", "logs")) : []),
  ];
  if (found.length > 0) return found;
  throw usageError(`there is no ledger in ${dir}`, "name the folder of a device or a plane, or a ledger's own");
}

async function below(dir: string, folder: string): Promise<FoundLedger[]> {
  const names = await readdir(join(dir, folder)).catch((): string[] => []);
  return names
    .filter((name) => ["fleet", "log"].includes(name) || HASH.test(name))
    .sort()
    .map((name) => ({
      name: join(folder, name),
      dir: join(dir, folder, name),
      kind: HASH.test(name) ? "mirrored" : "own",
    }));
}
