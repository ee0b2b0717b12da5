import type { ModelResource, ModelSignature } from "@tally/evidence";
import { OciError } from "../error.ts";
import type { Progress } from "../progress.ts";
import type { FileEntry } from "../tar/entry.ts";
import { withoutIgnored } from "./ignored-paths.ts";
import { hashResources, resourceName, type Serialization } from "./resources.ts";

/**
 * Compares a model's files with what was signed (model-signing-spec v1.0, sections 8.4 and 8.5) and says in words what is
 * good. Throws `signature-invalid` naming what is missing, changed or not signed.
 */
export async function compareFiles(
  signature: ModelSignature,
  files: readonly FileEntry[],
  ignoreUnsignedFiles: boolean,
  progress?: Progress,
): Promise<string> {
  const { counted, ignored } = withoutIgnored(namedAsSigned(signature, files), signature.ignorePaths);
  const paths = new Set(signature.resources.map((resource) => resource.path));
  const considered = ignoreUnsignedFiles ? counted.filter((file) => paths.has(file.name)) : counted;
  const actual = await hashResources(considered, serializationOf(signature), progress);
  const left = new Map(actual.map((resource) => [resourceName(resource), resource]));
  for (const signed of signature.resources) {
    requireSame(signed, left.get(resourceName(signed)));
    left.delete(resourceName(signed));
  }
  const [stray] = left.keys();
  if (stray !== undefined) throw differs(`${stray} is there, but it is not signed`);
  const places = [...new Set(ignored.map(({ name }) => name.split("/")[0]!))].slice(0, 5).join(", ");
  const words = ignored.length === 0 ? "" : `; ${ignored.length} in ignored paths (${places}) were not looked at`;
  const empty = signature.method === "shards" ? counted.filter(({ size }) => size === 0).length : 0;
  const unnamed = empty === 0 ? "" : `; ${empty} empty ones have no shard, so nobody signed that they are there`;
  return `${paths.size} files are as signed${words}${unnamed}`;
}

function requireSame(signed: ModelResource, actual: ModelResource | undefined): void {
  if (actual === undefined) throw differs(`${resourceName(signed)} was signed, but it is not there`);
  if (actual.digest !== signed.digest) {
    throw differs(`${resourceName(signed)} is ${actual.digest}, but ${signed.digest} was signed`);
  }
}

/** The reference tool (1.1.1) calls the only file of a model `.`, where the specification has it called by its name. */
function namedAsSigned({ resources }: ModelSignature, files: readonly FileEntry[]): readonly FileEntry[] {
  const [only, ...others] = files;
  const isOldSingle = only !== undefined && others.length === 0 && resources.every((resource) => resource.path === ".");
  return isOldSingle ? [{ ...only, name: ".", content: () => only.content() }] : files;
}

function serializationOf({ method, shardSize }: ModelSignature): Serialization {
  if (method === "files") return { method };
  if (shardSize === undefined || shardSize < 1) throw differs("the signature has no sensible shard size");
  return { method, shardSize };
}

function differs(why: string): OciError {
  return new OciError("signature-invalid", why);
}
