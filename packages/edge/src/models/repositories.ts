import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "@tally/evidence";
import { readIfPresent, writeDurably } from "../folder/durable-file.ts";

/** Keeps in which repository a model lies: load entries name no repository, and its segments go there. */
export async function keepRepository(stateFolder: string, manifest: Digest, repository: string): Promise<void> {
  const path = repositoryPath(stateFolder, manifest);
  if ((await readIfPresent(path)) === undefined) await writeDurably(path, repository);
}

export async function repositoryOf(stateFolder: string, manifest: Digest): Promise<string | undefined> {
  const bytes = await readIfPresent(repositoryPath(stateFolder, manifest));
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

/** Every repository that a model of this device lies in. */
export async function knownRepositories(stateFolder: string): Promise<readonly string[]> {
  const folder = join(stateFolder, "repositories");
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const found = names.filter((name) => /^[0-9a-f]{64}$/.test(name)).map((name) => readFile(join(folder, name), "utf8"));
  return [...new Set(await Promise.all(found))].sort();
}

function repositoryPath(stateFolder: string, manifest: Digest): string {
  return join(stateFolder, "repositories", manifest.slice("sha256:".length));
}
