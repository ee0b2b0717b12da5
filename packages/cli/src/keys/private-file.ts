import { stat } from "node:fs/promises";
import { usageError } from "../terminal/index.ts";

/**
 * Refuses a file with a secret that others on this machine may read, as ssh does: only one's own files are looked at,
 * since what somebody else gives access to (a mounted secret) cannot be changed by whoever uses it.
 *
 * @param what what it holds: "a private key"
 * @throws CliError usage with the command that helps
 */
export async function requirePrivate(path: string, what: string): Promise<void> {
  if (process.getuid === undefined) return;
  const { uid, mode } = await stat(path);
  const file = (mode & 0o170000) === 0o100000;
  if (!file || uid !== process.getuid() || (mode & 0o077) === 0) return;
  const bits = (mode & 0o777).toString(8).padStart(4, "0");
  throw usageError(`${path} holds ${what} and is open to others (${bits})`, `chmod 600 ${path}`);
}
