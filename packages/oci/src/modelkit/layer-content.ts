import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import type { ArtifactSource } from "../artifact/transfer.ts";
import { OciError } from "../error.ts";
import { DigestStream } from "../storage/content-digest.ts";
import type { ModelLayer } from "./read.ts";

/**
 * A layer's bytes, decompressed. The source checks them against the layer's digest; where the config names the digest of
 * the uncompressed bytes, that is checked as well, in the last step.
 */
export async function* layerContent(source: ArtifactSource, layer: ModelLayer): AsyncGenerator<Uint8Array> {
  const { compression, diffId, descriptor } = layer;
  const hash = new DigestStream();
  for await (const chunk of decompress(source.blob(descriptor), compression)) {
    hash.update(chunk);
    yield chunk;
  }
  const digest = hash.digest();
  if (diffId !== undefined && digest !== diffId) {
    throw new OciError(
      "digest-mismatch",
      `the layer ${descriptor.digest} unpacks to ${digest}, the config says ${diffId}`,
    );
  }
}

async function* decompress(
  source: AsyncIterable<Uint8Array>,
  compression: ModelLayer["compression"],
): AsyncGenerator<Uint8Array> {
  if (compression === "none") return yield* source;
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
