// A thread that hashes pieces of files: it is sent a Task and answers with Answers (hash-pieces.ts). It imports nothing of ours at once,
// so that it stays small, and is plain JavaScript, since what strips types takes each thread 40 ms of its core to load (measured).

import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs";
import { parentPort } from "node:worker_threads";

/** Fits the second-level cache together with what the kernel copies from, and makes few calls; from 128 KiB to 4 MiB all are alike. */
const blockSize = 1024 * 1024;
const reportEach = 32 * blockSize;
let block;

function hashPiece({ path, start, end }) {
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
async function hashAhead({ path, start, end }) {
  const { lentBlocks } = await import("../storage/lent-blocks.ts");
  const hash = createHash("sha256");
  let read = 0;
  let told = 0;
  for await (const lent of lentBlocks(path, start, end)) {
    hash.update(lent);
    read += lent.length;
    if (read - told < reportEach) continue;
    answer({ kind: "bytes", bytes: read - told });
    told = read;
  }
  answer({ kind: "bytes", bytes: read - told });
  return { kind: "hashed", hex: hash.digest("hex"), read, fileSize: statSync(path).size };
}

function answer(message) {
  parentPort.postMessage(message);
}

parentPort.on("message", async ({ ahead, ...piece }) => {
  try {
    answer(ahead ? await hashAhead(piece) : hashPiece(piece));
  } catch (error) {
    answer({ kind: "failed", code: error.code ?? String(error) });
  }
});
