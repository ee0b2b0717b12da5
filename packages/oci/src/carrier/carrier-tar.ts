import { open, stat } from "node:fs/promises";
import { OciError } from "../error.ts";
import { LayoutFolder } from "../layout/layout-folder.ts";
import { type ContentDigest, isContentDigest } from "../storage/content-digest.ts";
import { storing } from "../storage/durable-file.ts";
import { listFiles } from "../tar/entry.ts";
import { packTar } from "../tar/pack.ts";
import { readTar, type TarFile } from "../tar/read.ts";

/** As much as an index of a hundred thousand manifests takes. */
const largestIndex = 64 * 1024 * 1024;
const mostEntries = 500_000;

/** A layout's folder as one tar: sorted names, no times and owners, so that the same layout gives the same bytes. */
export async function* packCarrier(dir: string): AsyncGenerator<Uint8Array> {
  yield* packTar(await listFiles(dir));
}

/**
 * Unpacks the tar of an image layout into a folder of the caller's own, file by file, each blob against the digest that is its
 * name. Nothing else than a layout's files is taken, and no more bytes than the tar has: so nothing in it can name a place
 * outside, follow a link, or grow. Throws `archive-invalid`, `digest-mismatch`, `too-large`, `layout-invalid`.
 */
export async function unpackCarrier(tar: string, into: string): Promise<void> {
  const { size } = await storing("looking at the tar", () => stat(tar));
  const folder = new LayoutFolder(into);
  const done: Progress = { offset: 0 };
  const source = recycledBlocks(tar, done);
  for await (const file of readTar(plain(source, tar), { maxEntries: mostEntries, maxBytes: size })) {
    const digest = blobNamed(file.name);
    if (digest !== undefined) await folder.ingest(digest, following(file, done));
    else if (file.name === "index.json" || file.name === "oci-layout")
      await folder.writeFile(file.name, await text(file.name, file.size, file.content));
    else
      throw new OciError("layout-invalid", `${JSON.stringify(file.name.slice(0, 200))} is no file of an image layout`);
  }
}

/** Up to where the contents of the tar are dealt with. */
interface Progress {
  offset: number;
}

/** A chunk is dealt with when the next is asked for: `LayoutFolder.ingest` has written it by then, or copied it. */
async function* following({ offset, content }: TarFile, done: Progress): AsyncGenerator<Uint8Array> {
  let at = offset;
  for await (const chunk of content) {
    yield chunk;
    at += chunk.length;
    done.offset = at;
  }
}

const blockSize = 256 * 1024;
const mostSpare = 4;

/**
 * A file in blocks of which one is filled again only when all of it is dealt with; the parser keeps pieces of them, and how many
 * blocks it is ahead is its own business. A new block for each read costs 100 MB more for a tar of 1 GB: they wait to be collected.
 */
async function* recycledBlocks(path: string, done: Progress): AsyncGenerator<Uint8Array> {
  const file = await storing("reading the tar", () => open(path));
  try {
    const out: { readonly block: Buffer; readonly end: number }[] = [];
    for (let at = 0; ; ) {
      const free = out[0] !== undefined && out[0].end <= done.offset ? out.shift()?.block : undefined;
      const block = free ?? Buffer.allocUnsafeSlow(blockSize);
      const { bytesRead } = await storing("reading the tar", () => file.read(block, 0, blockSize, at));
      if (bytesRead === 0) return;
      at += bytesRead;
      out.push({ block, end: at });
      if (out.length > mostSpare) out.shift();
      yield block.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

function blobNamed(name: string): ContentDigest | undefined {
  const [folder, algorithm, hex, ...more] = name.split("/");
  const digest = `${algorithm}:${hex}`;
  return folder === "blobs" && more.length === 0 && isContentDigest(digest) ? digest : undefined;
}

/** A compressed tar could unpack to anything; a layout's layers are compressed already. */
async function* plain(source: AsyncIterable<Uint8Array>, path: string): AsyncGenerator<Uint8Array> {
  let first = true;
  for await (const chunk of source) {
    if (first && ((chunk[0] === 0x1f && chunk[1] === 0x8b) || chunk[0] === 0x28)) {
      throw new OciError("archive-invalid", `${path} is compressed`, { hint: "unpack it first: gunzip, unzstd" });
    }
    first = false;
    yield chunk;
  }
}

async function text(name: string, size: number, content: AsyncIterable<Uint8Array>): Promise<string> {
  if (size > largestIndex)
    throw new OciError("too-large", `${name} has ${size} bytes; at most ${largestIndex} are read`);
  return Buffer.concat(await Array.fromAsync(content)).toString("utf8");
}
