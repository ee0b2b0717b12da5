// A thread that hashes pieces of files. It imports nothing of ours, so that it starts quickly and stays small.

import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { parentPort } from "node:worker_threads";

/** Part of a file: the bytes [start, end). */
export interface Piece {
  readonly path: string;
  readonly start: number;
  readonly end: number;
}

/** What the thread answers: bytes of the piece at hand so far, or how it ended. */
export type Answer =
  | { readonly kind: "bytes"; readonly bytes: number }
  | { readonly kind: "hashed"; readonly hex: string; readonly read: number; readonly fileSize: number }
  | { readonly kind: "failed"; readonly code: string };

/** Fits the second-level cache together with what the kernel copies from, and makes few calls: 1 MiB measured best. */
const blockSize = 1024 * 1024;
const reportEach = 32 * blockSize;
const block = Buffer.allocUnsafeSlow(blockSize);

function hashPiece({ path, start, end }: Piece): Answer {
  const file = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  try {
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

function answer(message: Answer): void {
  parentPort!.postMessage(message);
}

parentPort?.on("message", (piece: Piece) => {
  try {
    answer(hashPiece(piece));
  } catch (error) {
    answer({ kind: "failed", code: (error as NodeJS.ErrnoException).code ?? String(error) });
  }
});
