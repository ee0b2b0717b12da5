import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Digest } from "@tally/evidence";
import { unpackModelKit } from "@tally/oci";
import { repositoryOf } from "../../artifact.ts";
import { connect } from "../../plane-client.ts";
import { type Terminal, usageError } from "../../terminal/index.ts";
import { repositoryOfModel } from "./find-record.ts";
import type { ReplayFlags } from "./flags.ts";

/** A folder with the model's files: the device's own, or pulled by digest. */
export async function modelFolder(
  terminal: Terminal,
  flags: ReplayFlags,
  manifest: Digest | null,
  temporary: string,
): Promise<string> {
  if (manifest === null) throw usageError("the record's load names no model's manifest", "give --model-folder");
  if (flags.dir !== undefined) {
    const own = join(resolve(terminal.cwd, flags.dir), "models", manifest.slice("sha256:".length));
    if (await stat(own).catch(() => undefined)) return own;
  }
  const client = await connect(terminal, flags);
  const source = repositoryOf(client, await repositoryOfModel(client, manifest));
  const into = join(temporary, "model");
  await unpackModelKit({ source, reference: manifest, into });
  return into;
}
