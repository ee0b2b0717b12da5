import { access, constants, readdir, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { counted, type Setting } from "../terminal/index.ts";
import { bad, type Finding, good, notMade, wordsOf } from "./finding.ts";

const leastFreeBytes = 1024 ** 3;

/** The folder holds keys: it should be its owner's alone. */
export async function checkFolder({ value = ".", from }: Setting): Promise<Finding> {
  const name = "folder";
  const found = await stat(value).catch(() => undefined);
  if (found === undefined) return notMade(name, `${value} (${from}) is not there yet`);
  if (!found.isDirectory()) return bad(name, `${value} is no folder`, "give another --dir");
  try {
    await access(value, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    return bad(name, `${value} cannot be written: ${wordsOf(error)}`, "run as its owner");
  }
  const mode = found.mode & 0o777;
  if ((mode & 0o077) !== 0 && (await holdsKeys(value))) {
    return bad(name, `${value} holds keys and is open to other users (${mode.toString(8)})`, `chmod 700 ${value}`);
  }
  return good(name, value);
}

export async function checkKeyFiles({ value = "." }: Setting): Promise<Finding> {
  const name = "keys";
  const folder = join(value, "keys");
  const keys = (await readdir(folder).catch(() => [])).filter(
    (file) => file.endsWith(".pem") && !file.endsWith(".pub.pem"),
  );
  const secrets = [...keys.map((file) => join(folder, file)), join(value, "admin.token")];
  const open: string[] = [];
  for (const path of secrets) {
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && (found.mode & 0o077) !== 0) open.push(path);
  }
  if (open.length > 0) return bad(name, `${open.join(", ")} can be read by other users`, `chmod 600 ${open.join(" ")}`);
  if (keys.length === 0) return notMade(name, "the folder holds none");
  return good(name, `${counted(keys.length, "key")}, readable by their owner alone`);
}

/** A full disk stops records, and with them outputs. */
export async function checkDiskSpace({ value = "." }: Setting): Promise<Finding> {
  const name = "disk";
  try {
    const { bavail, bsize } = await statfs(await nearestFolder(value));
    const free = bavail * bsize;
    const said = `${(free / 1024 ** 3).toFixed(1)} GiB free`;
    return free >= leastFreeBytes
      ? good(name, said)
      : bad(name, said, "make room: a full disk stops records, and with them outputs");
  } catch (error) {
    return bad(name, `free space cannot be read: ${wordsOf(error)}`, "look at the folder's disk");
  }
}

async function holdsKeys(folder: string): Promise<boolean> {
  return (await stat(join(folder, "keys")).catch(() => undefined))?.isDirectory() ?? false;
}

async function nearestFolder(path: string): Promise<string> {
  if (await stat(path).catch(() => undefined)) return path;
  const parent = dirname(path);
  return parent === path ? path : nearestFolder(parent);
}
