// SHA-256 of bytes in memory, again and again: what the processor gives. Told a number of bytes, hashes as many and says so.

import { createHash } from "node:crypto";
import { parentPort } from "node:worker_threads";

const block = Buffer.alloc(1024 * 1024, 1);

parentPort!.on("message", (bytes: number) => {
  const hash = createHash("sha256");
  for (let left = bytes; left > 0; left -= block.length) hash.update(block.subarray(0, Math.min(left, block.length)));
  parentPort!.postMessage(hash.digest("hex"));
});
