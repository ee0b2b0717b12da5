import { type Pack, pack } from "tar-stream";
import { OciError } from "../error.ts";
import type { FileEntry } from "./entry.ts";
import { compareNames, EntryNames } from "./entry-name.ts";

/**
 * A tar (POSIX ustar, pax headers only for names that need them) that depends on names and contents alone: entries sorted,
 * zero times and owners, files 0644 and folders 0755. Folders stand before what is in them, because some readers of
 * ModelKits do not make them by themselves. Throws `archive-invalid` for names that extraction would refuse.
 */
export async function* packTar(files: readonly FileEntry[]): AsyncGenerator<Uint8Array> {
  const names = new EntryNames();
  for (const file of files) names.addFile(file.name);
  const archive = pack();
  const filling = fill(archive, files).catch((error: unknown) => {
    archive.destroy(error as Error);
    throw error;
  });
  filling.catch(() => {}); // The consumer below hears of it; it may be gone by then.
  try {
    for await (const chunk of archive) yield chunk as Uint8Array;
    await filling;
  } finally {
    archive.destroy();
  }
}

const plain = { mtime: new Date(0), uid: 0, gid: 0, uname: "", gname: "" };

async function fill(archive: Pack, files: readonly FileEntry[]): Promise<void> {
  for (const item of inOrder(files)) {
    if (typeof item === "string") {
      archive.entry({ ...plain, name: `${item}/`, type: "directory", mode: 0o755 });
      continue;
    }
    const sink = archive.entry({ ...plain, name: item.name, type: "file", mode: 0o644, size: item.size });
    const gone = new Promise<"gone">((resolve) => sink.on("close", () => resolve("gone")));
    sink.on("error", () => {}); // The archive fails with the same error.
    let written = 0;
    for await (const chunk of item.content()) {
      written += chunk.length;
      if (written > item.size) break;
      if (!sink.write(chunk) && (await Promise.race([drained(sink), gone])) === "gone") return;
    }
    if (written !== item.size) {
      throw new OciError("archive-invalid", `${item.name} changed while it was packed: it was ${item.size} bytes`);
    }
    sink.end(null);
  }
  archive.finalize();
}

function drained(sink: ReturnType<Pack["entry"]>): Promise<"drained"> {
  return new Promise((resolve) => sink.once("drain", () => resolve("drained")));
}

/** Folders as text, files as entries, sorted, every folder once. */
function inOrder(files: readonly FileEntry[]): (string | FileEntry)[] {
  const folders = new Set<string>();
  for (const { name } of files) {
    for (let slash = name.indexOf("/"); slash >= 0; slash = name.indexOf("/", slash + 1)) {
      folders.add(name.slice(0, slash));
    }
  }
  const nameOf = (item: string | FileEntry) => (typeof item === "string" ? `${item}/` : item.name);
  return [...folders, ...files].sort((a, b) => compareNames(nameOf(a), nameOf(b)));
}
