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

function repositoryPath(stateFolder: string, manifest: Digest): string {
  return join(stateFolder, "repositories", manifest.slice("sha256:".length));
}
