import { type Extract, extract, type Header } from "tar-stream";
import { OciError } from "../error.ts";
import { checkEntryName, EntryNames } from "./entry-name.ts";

/** What an archive may hold at most. */
export interface ArchiveLimits {
  readonly maxEntries: number;
  /** Bytes of all files together. */
  readonly maxBytes: number;
}

export const defaultArchiveLimits: ArchiveLimits = Object.freeze({ maxEntries: 10_000, maxBytes: 256 * 2 ** 30 });

/** The parser says where a file's header begins; its content comes right after. */
const headerSize = 512;

export interface TarFile {
  readonly name: string;
  readonly size: number;
  /** Where the content begins in the archive, in bytes. */
  readonly offset: number;
  /** Read it to its end, or not at all, before asking for the next file. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** Where what an archive names goes. @throws OciError `archive-invalid` for what has no place */
export type PlaceOf = (name: string, kind: "file" | "folder") => string;

/**
 * The files of a tar, in its order. Everything that could make one archive mean different things on different machines is
 * refused with `archive-invalid`: links, devices, absolute paths, `..`, names that come twice or collide, an archive
 * without its end. More than `limits` allow is `too-large`. The source is read to its end, so what it checks there is
 * checked. `names` lets several archives share a destination, `place` says where each
 * of its files goes there.
 */
export async function* readTar(
  source: AsyncIterable<Uint8Array>,
  limits: ArchiveLimits = defaultArchiveLimits,
  names: EntryNames = new EntryNames(),
  place: PlaceOf = (name) => name,
): AsyncGenerator<TarFile> {
  const parser = extract();
  let failure: unknown;
  const taken = { entries: 0, content: 0 };
  const feeding = feed(source, parser, taken).catch((error: unknown) => {
    failure ??= error;
    parser.destroy(error as Error);
  });
  // Whatever the parser says of a source that broke, the source's own error is the cause.
  const causeOf = (error: unknown) => failure ?? (error instanceof OciError ? error : damaged(error));
  let bytes = 0;
  try {
    for await (const entry of parser) {
      const { header } = entry;
      taken.entries += 1;
      taken.content += Math.ceil((header.size || 0) / 512) * 512;
      if (taken.entries > limits.maxEntries) throw tooLarge(`holds more than ${limits.maxEntries} entries`);
      const own = nameOf(header);
      const isFolder = header.type === "directory";
      const name = own === "" ? "" : place(own, isFolder ? "folder" : "file");
      if (isFolder) {
        if (name !== "") names.addFolder(name);
        entry.resume();
        continue;
      }
      if (!Number.isSafeInteger(header.size)) throw new OciError("archive-invalid", `${name} has no sensible size`);
      bytes += header.size;
      if (bytes > limits.maxBytes) throw tooLarge(`unpacks to more than ${limits.maxBytes} bytes`);
      names.addFile(name);
      yield {
        name,
        size: header.size,
        offset: entry.offset + headerSize,
        content: failingWith(causeOf, entry as AsyncIterable<Uint8Array>),
      };
      entry.resume();
    }
    await feeding;
    if (failure !== undefined) throw failure;
  } catch (error) {
    throw causeOf(error);
  } finally {
    parser.destroy();
  }
}

/** Other writers begin names with `./`; that, and the slash at a folder's end, is the only second form taken. */
function nameOf(header: Header): string {
  const kind: string | null = header.type;
  if (kind !== "file" && kind !== "directory") {
    throw new OciError("archive-invalid", `${JSON.stringify(header.name)} is a ${kind ?? "thing of unknown type"}`, {
      hint: "an archive of a model holds files and folders only; pack the files that its links lead to",
    });
  }
  if (Object.keys(header.pax ?? {}).some((key) => key.startsWith("GNU.sparse."))) {
    throw new OciError(
      "archive-invalid",
      `${JSON.stringify(header.name)} is a file with holes, which only some tools know`,
    );
  }
  let name = header.name.startsWith("./") ? header.name.slice(2) : header.name;
  if (kind === "directory" && name.endsWith("/")) name = name.slice(0, -1);
  if (kind === "directory" && (name === "" || name === ".")) return "";
  return checkEntryName(name);
}

async function* failingWith(
  causeOf: (error: unknown) => unknown,
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* content;
  } catch (error) {
    throw causeOf(error);
  }
}

/** What may stand between the files of an archive, in bytes: headers with long names and times, and some padding at the end. */
const mostBetween = { once: 2 ** 20, forEach: 2 ** 16 };

/**
 * Feeds the parser as fast as files are taken. What is no file's content is bounded, zeros without end above all: compressed they
 * cost their sender nothing.
 */
async function feed(
  source: AsyncIterable<Uint8Array>,
  parser: Extract,
  taken: { readonly entries: number; readonly content: number },
): Promise<void> {
  let fed = 0;
  const gone = new Promise<"gone">((resolve) => parser.on("close", () => resolve("gone")));
  const end = new ArchiveEnd();
  for await (const chunk of source) {
    end.update(chunk);
    if (fed - taken.content > mostBetween.once + (taken.entries + 1) * mostBetween.forEach) {
      throw tooLarge("holds more between its files than headers and padding need");
    }
    fed += chunk.length;
    if (!parser.write(chunk) && (await Promise.race([drained(parser), gone])) === "gone") return;
  }
  if (!end.isWhole)
    throw new OciError("archive-invalid", "the archive is cut short: it does not end in two empty blocks");
  parser.end(null);
}

function drained(parser: Extract): Promise<"drained"> {
  return new Promise((resolve) => parser.once("drain", () => resolve("drained")));
}

/** Watches for the 1,024 zero bytes that end a tar; a parser alone takes one that is cut between two files for whole. */
class ArchiveEnd {
  #length = 0;
  #zeros = 0;

  update(chunk: Uint8Array): void {
    this.#length += chunk.length;
    let last = chunk.length;
    while (last > 0 && chunk[last - 1] === 0) last -= 1;
    this.#zeros = last === 0 ? this.#zeros + chunk.length : chunk.length - last;
  }

  get isWhole(): boolean {
    return this.#length % 512 === 0 && this.#zeros >= 1024;
  }
}

function tooLarge(why: string): OciError {
  return new OciError("too-large", `the archive ${why}`);
}

function damaged(cause: unknown): unknown {
  const known = cause instanceof Error && /tar|header|end of data/i.test(cause.message);
  return known ? new OciError("archive-invalid", `the archive is damaged: ${cause.message}`, { cause }) : cause;
}
