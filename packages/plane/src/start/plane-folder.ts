import { chmod, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parsePolicy, utf8 } from "@tally/evidence";
import { nodeFiles, writeDurably } from "@tally/ledger";
import type { Tokens } from "../access/tokens.ts";
import { PlaneError } from "../error.ts";
import { noWitnesses, type PlaneOptions } from "./plane-options.ts";

/** The folder's name is its own for good; a new one with witnesses has to be meant. @throws PlaneError `configuration` */
export async function checkFolder(
  dir: string,
  name: string,
  { witnessPolicy = noWitnesses, init }: PlaneOptions,
): Promise<void> {
  const path = join(dir, "plane.json");
  const known = await readFile(path, "utf8").catch(() => undefined);
  if (known !== undefined) {
    const stored = nameIn(known, path);
    if (stored === name) return;
    throw new PlaneError("configuration", `${dir} is the folder of plane ${String(stored)}, not of ${name}`, {
      hint: "a plane keeps its name: it is in every origin and every signature",
    });
  }
  // A kill may have come while the first file was being written.
  const others = (await readdir(dir)).filter((file) => file !== "plane.json.tmp");
  if (others.length > 0 && init !== true) {
    throw new PlaneError("configuration", `${dir} is not empty and holds no plane`, {
      hint: "give an empty folder; where a restore was broken off, empty it and restore again",
    });
  }
  if (parsePolicy(witnessPolicy).witnesses.size > 0 && init !== true) {
    throw new PlaneError("configuration", `${dir} is empty, and witnesses may already know a plane of this name`, {
      hint: "for a new plane add --init; after a loss restore the backup instead",
    });
  }
  await writeDurably(nodeFiles, path, utf8(`${JSON.stringify({ format: "tally-plane/v1", name }, null, 2)}\n`));
}

function nameIn(text: string, path: string): unknown {
  try {
    return (JSON.parse(text) as { name?: unknown }).name;
  } catch (cause) {
    throw new PlaneError("configuration", `${path} is not JSON`, {
      cause,
      hint: 'write {"format":"tally-plane/v1","name":"<the name in logs/log/log.json, before /log>"}, or restore a backup',
    });
  }
}

/** The path of the first administrator's token, which is made where there is none. */
export async function firstAdministrator(dir: string, tokens: Tokens): Promise<string> {
  const path = join(dir, "admin.token");
  if ((await nodeFiles.readWhole(path)) !== undefined) {
    // A kill may have come before the file was its owner's alone.
    await chmod(path, 0o600);
    return path;
  }
  const { token } = await tokens.create(
    { role: "admin", repository: "*", origin: null },
    10 * 365 * 86_400_000,
    "first",
  );
  await writeDurably(nodeFiles, path, utf8(`${token}\n`));
  await chmod(path, 0o600);
  return path;
}
