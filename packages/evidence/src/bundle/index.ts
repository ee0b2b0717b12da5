export { type BlobLike, type ByteSource, blobSource, bytesSource } from "./byte-source.ts";
export { BundleDamage } from "./damage.ts";
export { EntriesView } from "./entries-view.ts";
export { type BundleIndex, type IndexedMember, indexBundle } from "./index-bundle.ts";
export { bundleFormat } from "./layout.ts";
export * from "./member.ts";
export * from "./question.ts";
export { type Bundle, type BundleMember, readBundle, readMembers, viewMembers } from "./read.ts";
export { type EntriesToCome, streamBundle, writeBundle } from "./write.ts";
