import { DatabaseSync } from "node:sqlite";
import { OciError } from "../error.ts";

/**
 * Takes a file for this caller alone, until it is let go or the process ends, however it ends. Node has no file locks of its
 * own; SQLite's are the operating system's, and an exclusive transaction holds one without writing anything. Throws `busy`.
 */
export function holdExclusively(path: string, what: string): Disposable {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (cause) {
    database.close();
    if (!/locked|busy/i.test((cause as Error).message)) throw cause;
    throw new OciError("busy", `${what} is being worked on by another process`, {
      cause,
      hint: "wait until it is done, or stop it",
    });
  }
  return { [Symbol.dispose]: () => database.close() };
}
