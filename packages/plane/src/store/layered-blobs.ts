import { type BlobStore, OciError } from "@tally/oci";

/** Reads from `first`, and from `second` what is not there; writes to `first` alone. */
export function layeredBlobs(first: BlobStore, second: BlobStore): BlobStore {
  const holder = async (digest: Parameters<BlobStore["has"]>[0]) =>
    (await first.has(digest)) === undefined && (await second.has(digest)) !== undefined ? second : first;
  return {
    has: async (digest) => (await first.has(digest)) ?? second.has(digest),
    get: async (digest, range) => (await holder(digest)).get(digest, range),
    // Tried rather than asked for: most are in the first.
    bytes: (digest, max) =>
      first.bytes(digest, max).catch((error: unknown) => {
        if (error instanceof OciError && error.code === "not-found") return second.bytes(digest, max);
        throw error;
      }),
    put: (digest, source) => first.put(digest, source),
    stage: (id) => first.stage(id),
    staged: () => first.staged(),
    delete: (digest) => first.delete(digest),
    list: () => first.list(),
  };
}
