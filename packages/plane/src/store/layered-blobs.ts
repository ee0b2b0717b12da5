import type { BlobStore } from "@tally/oci";

/** Reads from `first`, and from `second` what is not there; writes to `first` alone. */
export function layeredBlobs(first: BlobStore, second: BlobStore): BlobStore {
  const holder = async (digest: Parameters<BlobStore["has"]>[0]) =>
    (await first.has(digest)) === undefined && (await second.has(digest)) !== undefined ? second : first;
  return {
    has: async (digest) => (await first.has(digest)) ?? second.has(digest),
    get: async (digest, range) => (await holder(digest)).get(digest, range),
    bytes: async (digest, max) => (await holder(digest)).bytes(digest, max),
    put: (digest, source) => first.put(digest, source),
    stage: (id) => first.stage(id),
    staged: () => first.staged(),
    delete: (digest) => first.delete(digest),
    list: () => first.list(),
  };
}
