// A thread that hashes pieces of files. It imports next to nothing of ours, so that it starts quickly and stays small.

import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { lentBlocks } from "../storage/lent-blocks.ts";

/** Part of a file: the bytes [start, end). */
export interface Piece {
  readonly path: string;
  readonly start: number;
  readonly end: number;
}

/** A piece, and whether it is to be read ahead: where every core hashes by itself, waiting for each other costs more than it gains. */
export interface Task extends Piece {
  readonly ahead: boolean;
}

/** What the thread answers: bytes of the piece at hand so far, or how it ended. */
export type Answer =
  | { readonly kind: "bytes"; readonly bytes: number }
  | { readonly kind: "hashed"; readonly hex: string; readonly read: number; readonly fileSize: number }
  | { readonly kind: "failed"; readonly code: string };

/** Fits the second-level cache together with what the kernel copies from, and makes few calls: 1 MiB measured best. */
const blockSize = 1024 * 1024;
const reportEach = 32 * blockSize;
let block: Buffer | undefined;

function hashPiece({ path, start, end }: Piece): Answer {
  const file = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  try {
    block ??= Buffer.allocUnsafeSlow(blockSize);
    const hash = createHash("sha256");
    let at = start;
    let reported = start;
    while (at < end) {
      const read = readSync(file, block, 0, Math.min(blockSize, end - at), at);
      if (read === 0) break;
      hash.update(block.subarray(0, read));
      at += read;
      if (at - reported < reportEach) continue;
      answer({ kind: "bytes", bytes: at - reported });
      reported = at;
    }
    answer({ kind: "bytes", bytes: at - reported });
    return { kind: "hashed", hex: hash.digest("hex"), read: at - start, fileSize: fstatSync(file).size };
  } finally {
    closeSync(file);
  }
}

/** The next block is read while one is hashed. */
async function hashAhead({ path, start, end }: Piece): Promise<Answer> {
  const hash = createHash("sha256");
  let read = 0;
  let told = 0;
  for await (const block of lentBlocks(path, start, end)) {
    hash.update(block);
    read += block.length;
    if (read - told < reportEach) continue;
    answer({ kind: "bytes", bytes: read - told });
    told = read;
  }
  answer({ kind: "bytes", bytes: read - told });
  return { kind: "hashed", hex: hash.digest("hex"), read, fileSize: statSync(path).size };
}

function answer(message: Answer): void {
  parentPort!.postMessage(message);
}

parentPort?.on("message", async ({ ahead, ...piece }: Task) => {
  try {
    answer(ahead ? await hashAhead(piece) : hashPiece(piece));
  } catch (error) {
    answer({ kind: "failed", code: (error as NodeJS.ErrnoException).code ?? String(error) });
  }
});
