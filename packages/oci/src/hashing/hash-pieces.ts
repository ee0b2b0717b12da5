import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { type Digest, parseDigest } from "@tally/evidence";
import { OciError } from "../error.ts";
import type { Progress } from "../progress.ts";
import { lentBlocks } from "../storage/lent-blocks.ts";

/** Part of a file: the bytes [start, end). */
export interface Piece {
  readonly path: string;
  readonly start: number;
  readonly end: number;
}

/** A piece, and whether it is to be read ahead: where every core hashes by itself, waiting for each other costs more than it gains. */
interface Task extends Piece {
  readonly ahead: boolean;
}

/** What a thread answers: bytes of the piece at hand so far, or how it ended. */
type Answer =
  | { readonly kind: "bytes"; readonly bytes: number }
  | { readonly kind: "hashed"; readonly hex: string; readonly read: number; readonly fileSize: number }
  | { readonly kind: "failed"; readonly code: string };

export interface HashedPiece {
  readonly digest: Digest;
  /** Bytes of the file when its piece had been read: another size than before shows that somebody writes to it. */
  readonly fileSize: number;
}

/**
 * A thread costs 10 MiB, and signing a model of any size is to stay below 200 in all. Six read and hash some 10 GB a second where
 * the processor has instructions for SHA-256, which is more than disks give.
 */
const mostThreads = 6;
/** Below this, starting threads takes longer than hashing. */
const worthThreads = 16 * 1024 * 1024;

/**
 * SHA-256 of pieces of files, on as many threads as the machine has cores. A piece is one stream and cannot be divided: one file
 * hashed whole keeps one core busy, its shards all of them. Throws `not-found` for a file that cannot be read, and
 * `size-mismatch` for one that ends before its piece does.
 */
export async function hashPieces(pieces: readonly Piece[], progress?: Progress): Promise<readonly HashedPiece[]> {
  const total = pieces.reduce((sum, { start, end }) => sum + end - start, 0);
  progress?.expect(total);
  const cores = availableParallelism();
  const threads = Math.min(pieces.length, cores, mostThreads);
  // One piece as well: whoever has it hashed may do something else meanwhile.
  if (cores > 1 && total >= worthThreads) return hashOnThreads(pieces, threads, progress);
  const hashed: HashedPiece[] = [];
  for (const piece of pieces) hashed.push(await hashHere(piece, progress));
  return hashed;
}

async function hashOnThreads(
  pieces: readonly Piece[],
  threads: number,
  progress: Progress | undefined,
): Promise<readonly HashedPiece[]> {
  // The largest first, so that none of them begins when all others are through.
  const order = pieces.map((_, i) => i).sort((a, b) => sizeOf(pieces[b]!) - sizeOf(pieces[a]!));
  const hashed: HashedPiece[] = new Array(pieces.length);
  let next = 0;
  const run = async () => {
    const thread = new HashThread();
    try {
      for (let i = order[next++]; i !== undefined; i = order[next++])
        hashed[i] = await thread.hash({ ...pieces[i]!, ahead: threads === 1 }, progress);
    } catch (error) {
      next = order.length; // The others stop after the piece that they are at.
      throw error;
    } finally {
      await thread.end();
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: threads }, run));
  const failed = ends.find((end) => end.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return hashed;
}

class HashThread {
  // Hashing allocates next to nothing; without limits each thread reserves and touches what a whole program might need.
  readonly #worker = new Worker(new URL("./hash-thread.js", import.meta.url), {
    execArgv: [],
    resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 32 },
  });

  hash(piece: Task, progress: Progress | undefined): Promise<HashedPiece> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        this.#worker.off("message", told).off("error", failed).off("exit", gone);
        act();
      };
      const failed = (error: unknown) => settle(() => reject(error));
      const told = (answer: Answer) => {
        if (answer.kind === "bytes") return progress?.advance(answer.bytes, "done");
        settle(() => {
          if (answer.kind === "failed") reject(unreadable(piece, answer.code));
          else if (answer.read < sizeOf(piece)) reject(cutShort(piece, answer.read));
          else resolve({ digest: parseDigest(`sha256:${answer.hex}`), fileSize: answer.fileSize });
        });
      };
      const gone = () => failed(new OciError("storage-failed", `the thread that hashed ${piece.path} ended`));
      this.#worker.on("message", told).once("error", failed).once("exit", gone).postMessage(piece);
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}

/** Hashes on this thread; the next block is read while one is hashed. */
async function hashHere(piece: Piece, progress: Progress | undefined): Promise<HashedPiece> {
  const { path, start, end } = piece;
  const hash = createHash("sha256");
  let read = 0;
  try {
    for await (const block of lentBlocks(path, start, end)) {
      hash.update(block);
      read += block.length;
      progress?.advance(block.length, "done");
    }
    if (read < sizeOf(piece)) throw cutShort(piece, read);
    return { digest: parseDigest(`sha256:${hash.digest("hex")}`), fileSize: (await stat(path)).size };
  } catch (error) {
    if (error instanceof OciError) throw error;
    throw unreadable(piece, (error as NodeJS.ErrnoException).code ?? String(error));
  }
}

function sizeOf({ start, end }: Piece): number {
  return end - start;
}

function unreadable({ path }: Piece, code: string): OciError {
  return new OciError("not-found", `${path} cannot be read: ${code}`);
}

function cutShort(piece: Piece, read: number): OciError {
  return new OciError("size-mismatch", `${piece.path} has changed: ${read} bytes came where ${sizeOf(piece)} were`);
}
