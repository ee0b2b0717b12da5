import { OciError } from "../error.ts";
import type { FileEntry } from "../tar/entry.ts";

/** Never part of a model (model-signing-spec v1.0, section 6.2): what version control keeps beside it. */
export const defaultIgnoredPaths: readonly string[] = Object.freeze([
  ".git",
  ".gitattributes",
  ".github",
  ".gitignore",
]);

/** Names of files: a folder that is called so is none of those, and what lies in it is not ignored. */
const onlyFiles: ReadonlySet<string> = new Set([".gitattributes", ".gitignore", "Kitfile", "model.sig"]);

/**
 * Splits files into those that count and those that lie at or below an ignored path. Paths are exact and relative to the
 * model's root. Throws `signature-invalid` for a path that is a pattern or leads outside.
 */
export function withoutIgnored(
  files: readonly FileEntry[],
  ignorePaths: readonly string[],
): { readonly counted: readonly FileEntry[]; readonly ignored: readonly FileEntry[] } {
  const paths = [...new Set([...defaultIgnoredPaths, ...ignorePaths.map(checkIgnoredPath)])];
  const isIgnored = ({ name }: FileEntry) =>
    paths.some((path) => name === path || (!onlyFiles.has(path) && name.startsWith(`${path}/`)));
  return { counted: files.filter((file) => !isIgnored(file)), ignored: files.filter(isIgnored) };
}

function checkIgnoredPath(path: string): string {
  const bare = path.replace(/^\.\//, "").replace(/\/$/, "");
  const parts = bare.split("/");
  if (/[*?[\\]/.test(bare) || parts.some((part) => part === "" || part === "." || part === "..")) {
    throw new OciError("signature-invalid", `${JSON.stringify(path)} cannot be ignored: name a path within the model`);
  }
  return bare;
}
