import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import type { Descriptor } from "../artifact/descriptor.ts";
import type { ArtifactSource } from "../artifact/transfer.ts";
import { OciError } from "../error.ts";
import { algorithmOf, type ContentDigest, DigestStream } from "../storage/content-digest.ts";
import type { ModelLayer } from "./read.ts";

/**
 * The bytes of a layer's blob, decompressed. The source checks them against the layer's digest; where the config names the digest of
 * the uncompressed bytes, that is checked as well, in the last step.
 */
export function layerContent(source: ArtifactSource, layer: ModelLayer): AsyncGenerator<Uint8Array> {
  return contentOf(layer, source.blob(layer.descriptor));
}

/** The same for a blob that comes from elsewhere; who gives it checks it. */
export async function* contentOf(
  { compression, diffId, descriptor }: ModelLayer,
  blob: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (diffId !== undefined && compression === "none" && algorithmOf(descriptor.digest) === "sha256") {
    // The layer's digest is that of its content, and hashing it once is enough.
    requireContent(descriptor, diffId, descriptor.digest);
  }
  const content = compression === "none" ? blob : decompress(blob, compression);
  if (diffId === undefined || diffId === descriptor.digest) return yield* content;
  const hash = new DigestStream();
  for await (const chunk of content) {
    hash.update(chunk);
    yield chunk;
  }
  requireContent(descriptor, diffId, hash.digest());
}

function requireContent({ digest }: Descriptor, diffId: string, actual: ContentDigest): void {
  if (diffId === actual) return;
  throw new OciError("digest-mismatch", `the layer ${digest} unpacks to ${actual}, the config says ${diffId}`);
}

async function* decompress(
  source: AsyncIterable<Uint8Array>,
  compression: "gzip" | "zstd",
): AsyncGenerator<Uint8Array> {
  let failure: unknown;
  async function* watched() {
    try {
      yield* source;
    } catch (error) {
      failure = error;
      throw error;
    }
  }
  const inflater = compression === "gzip" ? createGunzip() : createZstdDecompress();
  const flowing = pipeline(Readable.from(watched()), inflater);
  flowing.catch(() => {}); // The loop below fails with the same error.
  try {
    for await (const chunk of inflater) yield chunk as Uint8Array;
    await flowing;
  } catch (error) {
    if (failure !== undefined) throw failure;
    throw new OciError("archive-invalid", `the layer is damaged: ${(error as Error).message}`, { cause: error });
  } finally {
    inflater.destroy();
  }
}
