import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";

const chunkBytes = 1024 * 1024;

export interface Copied {
  readonly size: number;
  /** In hexadecimal. */
  readonly sha256: string;
}

/** Copies a file, or its first `limit` bytes, to a new one that is durable when this resolves. Its directories are made. */
export async function copyFileDurably(from: string, to: string, limit = Number.POSITIVE_INFINITY): Promise<Copied> {
  const source = await open(from, "r");
  try {
    await mkdir(dirname(to), { recursive: true, mode: 0o700 });
    const target = await open(to, "wx", 0o600);
    try {
      const copied = await pump(source, target, limit);
      await target.sync();
      return copied;
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

async function pump(source: FileHandle, target: FileHandle, limit: number): Promise<Copied> {
  const hash = createHash("sha256");
  const chunk = Buffer.allocUnsafe(chunkBytes);
  let size = 0;
  while (size < limit) {
    const { bytesRead } = await source.read(chunk, 0, Math.min(chunkBytes, limit - size), size);
    if (bytesRead === 0) break;
    const bytes = chunk.subarray(0, bytesRead);
    hash.update(bytes);
    for (let done = 0; done < bytesRead; ) {
      done += (await target.write(bytes, done, bytesRead - done, size + done)).bytesWritten;
    }
    size += bytesRead;
  }
  return { size, sha256: hash.digest("hex") };
}
