import { createReadStream } from "node:fs";
import { opendir, realpath, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { OciError } from "../error.ts";
import { type FileEntry, listFiles } from "../tar/entry.ts";
import { checkEntryName, compareNames } from "../tar/entry-name.ts";

/**
 * The files of a model as a signature names them (model-signing-spec v1.0, section 6.1): relative to the folder, or the one
 * file's own name. Links are refused, or, with `allowSymlinks`, stand for what they lead to, a linked folder with all that is in
 * it. Throws `archive-invalid` for a link that leads back to a folder it lies in, and for what is neither file nor folder.
 */
export async function listModelFiles(
  path: string,
  allowSymlinks: boolean,
  except: readonly string[] = [],
): Promise<readonly FileEntry[]> {
  if (!allowSymlinks) return listFiles(path, except);
  const found = await statOf(path);
  if (found.isFile()) return [fileAt(basename(path), await realpath(path), found.size)];
  const files: FileEntry[] = [];
  await collect(path, "", new Set(except), new Set(), files);
  return files.sort((a, b) => compareNames(a.name, b.name));
}

async function collect(
  root: string,
  prefix: string,
  except: ReadonlySet<string>,
  above: ReadonlySet<string>,
  into: FileEntry[],
): Promise<void> {
  const here = await realpath(join(root, prefix));
  if (above.has(here)) {
    throw new OciError("archive-invalid", `${prefix} leads back to a folder that it lies in`, {
      hint: "remove the link, or leave it out with --ignore-paths",
    });
  }
  for await (const item of await opendir(here)) {
    const name = prefix === "" ? item.name : `${prefix}/${item.name}`;
    if (except.has(name)) continue;
    const found = await statOf(join(root, name));
    if (found.isDirectory()) await collect(root, name, except, new Set([...above, here]), into);
    else if (found.isFile()) into.push(fileAt(name, await realpath(join(root, name)), found.size));
    else throw new OciError("archive-invalid", `${name} is neither a file nor a folder`);
  }
}

function fileAt(name: string, path: string, size: number): FileEntry {
  const content = () => createReadStream(path, { highWaterMark: 1024 * 1024 });
  return { name: checkEntryName(name), size, content, place: { path } };
}

async function statOf(path: string) {
  try {
    return await stat(path);
  } catch (cause) {
    throw new OciError("not-found", `${path} cannot be read: ${(cause as NodeJS.ErrnoException).code}`, { cause });
  }
}
