import { type Header, pack } from "tar-stream";
import { OciError } from "../error.ts";
import type { FileEntry } from "./entry.ts";
import { compareNames, EntryNames } from "./entry-name.ts";

/**
 * A tar (POSIX ustar, pax headers only for names that need them) that depends on names and contents alone: entries sorted,
 * zero times and owners, files 0644 and folders 0755. Folders stand before what is in them, because some readers of
 * ModelKits do not make them by themselves. Contents pass through as they come, one chunk at a time. Throws `archive-invalid`
 * for names that extraction would refuse.
 */
export async function* packTar(files: readonly FileEntry[]): AsyncGenerator<Uint8Array> {
  const names = new EntryNames();
  for (const file of files) names.addFile(file.name);
  for (const item of inOrder(files)) {
    if (typeof item === "string") {
      yield await headerOf({ ...plain, name: `${item}/`, type: "directory", mode: 0o755 });
      continue;
    }
    const { name, size } = item;
    yield await headerOf({ ...plain, name, type: "file", mode: 0o644, size });
    let written = 0;
    for await (const chunk of item.content()) {
      written += chunk.length;
      if (written > size) break;
      yield chunk;
    }
    if (written !== size) {
      throw new OciError("archive-invalid", `${name} changed while it was packed: it was ${size} bytes`);
    }
    if (size % block > 0) yield new Uint8Array(block - (size % block));
  }
  yield new Uint8Array(2 * block);
}

const block = 512;
const plain = { mtime: new Date(0), uid: 0, gid: 0, uname: "", gname: "" };
const paxType = "x".charCodeAt(0);

/** The blocks that the library writes before a content: a header, or, for a name that does not fit, two and a pax record. */
async function headerOf(header: Partial<Header> & Pick<Header, "name">): Promise<Uint8Array> {
  const archive = pack();
  archive.on("error", () => {}); // It is left without the content that it waits for.
  archive.entry(header).on("error", () => {});
  const parts: Uint8Array[] = [];
  let [length, wanted] = [0, block];
  try {
    for await (const part of archive as AsyncIterable<Uint8Array>) {
      if (length === 0 && part[156] === paxType) wanted = 2 * block + padded(octal(part.subarray(124, 136)));
      parts.push(part);
      length += part.length;
      if (length >= wanted) break;
    }
    return Buffer.concat(parts);
  } finally {
    archive.destroy();
  }
}

function padded(size: number): number {
  return Math.ceil(size / block) * block;
}

function octal(field: Uint8Array): number {
  return Number.parseInt(Buffer.from(field).toString("latin1"), 8);
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
