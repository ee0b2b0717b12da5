import { open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { CliError, exitCodes } from "./terminal/index.ts";

/** One answer of a server that can go on with a broken download. */
export interface Piece {
  /** Bytes of the whole before this piece: 0 where it begins anew. */
  readonly from: number;
  /** Bytes of the whole, where the server says so. */
  readonly size: number | undefined;
  /** Names the very bytes; without it a download cannot go on. */
  readonly tag: string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface Download {
  /** Where it goes. What has arrived so far is in `<path>.part`, and what it is part of in `<path>.part.json`. */
  readonly path: string;
  /** Says which download it is: the beginning of another one is thrown away. */
  readonly of: string;
  /** Asks for what comes after the bytes that are there. */
  readonly ask: (begun: { readonly bytes: number; readonly tag: string } | undefined) => Promise<Piece>;
  /** Told each time the download goes on after it broke off. */
  readonly onResumed?: (bytes: number) => void;
}

/** How often one run goes on by itself, as long as each time something arrives. */
const attempts = 5;

/**
 * Downloads into `<path>.part`. Where a connection breaks off it goes on from there, in this run or in the next one for the
 * same thing.
 *
 * @returns the path of the part, whole
 * @throws CliError unreachable where it cannot go on now
 */
export async function download(wanted: Download): Promise<string> {
  const part = `${wanted.path}.part`;
  for (let left = attempts; ; left -= 1) {
    const begun = await begunOf(wanted, part);
    const piece = await wanted.ask(begun);
    if (begun !== undefined && piece.from > 0) wanted.onResumed?.(begun.bytes);
    const arrived = await take(piece, wanted, part);
    if (arrived.whole) {
      await rm(`${part}.json`, { force: true });
      return part;
    }
    if (piece.tag !== undefined && arrived.bytes > piece.from && left > 1) continue;
    throw new CliError(exitCodes.unreachable, `the download broke off after ${arrived.bytes} bytes`, {
      cause: arrived.why,
      hint: `run the same command again: it goes on with ${part}`,
    });
  }
}

async function begunOf({ of }: Download, part: string): Promise<{ bytes: number; tag: string } | undefined> {
  try {
    const [{ size }, text] = await Promise.all([stat(part), readFile(`${part}.json`, "utf8")]);
    const known = JSON.parse(text) as { of?: unknown; tag?: unknown };
    return size > 0 && known.of === of && typeof known.tag === "string" ? { bytes: size, tag: known.tag } : undefined;
  } catch {
    return undefined;
  }
}

/** No plane makes an answer larger than 16 GiB. */
const largest = 16 * 2 ** 30;

function tooLong(size: number): CliError {
  return new CliError(exitCodes.unexpected, `the download has more than its ${size} bytes`, {
    hint: "check that the URL is a plane's",
  });
}

async function take({ from, size, tag, body }: Piece, { of }: Download, part: string) {
  if (from === 0) await writeFile(`${part}.json`, `${JSON.stringify({ of, tag })}\n`);
  await using file = await open(part, from === 0 ? "w" : "r+");
  let bytes = from;
  let why: unknown;
  const chunks = body[Symbol.asyncIterator]();
  for (;;) {
    let chunk: Uint8Array;
    try {
      const next = await chunks.next();
      if (next.done) break;
      chunk = next.value;
    } catch (error) {
      why = error;
      break;
    }
    if (bytes + chunk.length > (size ?? largest)) throw tooLong(size ?? largest);
    // What is wrong with the disk here is not the connection's fault.
    await file.write(chunk, 0, chunk.length, bytes);
    bytes += chunk.length;
  }
  await file.sync();
  return { bytes, why, whole: why === undefined && (size === undefined || bytes === size) };
}
