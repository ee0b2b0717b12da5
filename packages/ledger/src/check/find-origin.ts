import { EvidenceError } from "@tally/evidence";
import { LedgerError } from "../error.ts";
import type { Files } from "../files/index.ts";
import { readMark, scanCommit } from "../store/commit-scan.ts";
import { encodeLogFile, LOG_FILE, startMark } from "../store/layout.ts";
import { ReadAhead } from "../store/read-ahead.ts";
import { closeStoreFiles, openStoreFiles, readOrigin } from "../store/store-files.ts";
import type { Problems } from "./problem.ts";

/**
 * Whose log a folder holds: what log.json says, or where that cannot be read or was changed what the checkpoint says (`signed`), so
 * that the rest can be checked all the same. The checksums begin with the origin, which tells who of the two is right.
 */
export async function findOrigin(
  files: Files,
  dir: string,
  signed: string | undefined,
  problems: Problems,
): Promise<string | undefined> {
  const before = problems.all.length;
  const said = await readable(problems, LOG_FILE, () => readOrigin(files, dir));
  const line = signed === undefined ? undefined : new TextDecoder().decode(encodeLogFile(signed)).trim();
  const hint = line === undefined ? "restore it from a copy of the folder" : `it holds one line: ${line}`;
  if (said === undefined && problems.all.length === before) {
    const nothing = (await files.list(dir)).length === 0;
    problems.add(LOG_FILE, nothing ? `there is no ledger in ${dir}` : "is missing", { hint });
  }
  if (said === undefined || signed === undefined || said === signed) return said ?? signed;
  if ((await begins(files, dir, said)) || !(await begins(files, dir, signed))) return said;
  problems.add(LOG_FILE, `says ${said}, and the entries are of ${signed}`, { hint });
  return signed;
}

/** Whether the first commit is one of this origin. */
async function begins(files: Files, dir: string, origin: string): Promise<boolean> {
  const open = await openStoreFiles(files, dir, "read");
  try {
    const first = await readMark(open.commits, 0);
    return (await scanCommit(new ReadAhead(open.entries), startMark(origin), first)).fault === undefined;
  } finally {
    await closeStoreFiles(open);
  }
}

/** Runs a step; what it refuses becomes a problem of `where`. Failures to read at all are thrown. */
export async function readable<T>(problems: Problems, where: string, step: () => Promise<T>): Promise<T | undefined> {
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof EvidenceError || error instanceof LedgerError)) throw error;
    problems.add(where, `cannot be read: ${error.message}`);
    return undefined;
  }
}
