// Referrers of one model in great number, made without pushing them. `node many-referrers.ts DIR COUNT` makes a registry's folder.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  bulkLoad,
  type Descriptor,
  emptyBytes,
  emptyDescriptor,
  encodeImageManifest,
  FileBlobStore,
  formatTime,
  mediaTypes,
  openSqlite,
} from "@tally/oci";

export const repository = "models/tumour";
/** What they all refer to: a manifest of no layers, that can be pushed. */
export const modelManifest = encodeImageManifest({ artifactType: "application/vnd.example.model", layers: [] });
export const model = modelManifest.descriptor;
export const types = {
  segment: "application/vnd.kitops.modelkit.manifest.v1+json",
  signature: "application/vnd.dev.sigstore.bundle.v0.3+json",
};
const devices = 1_000;
/** Each begins a second after the one before, and holds a minute of records. */
export const began = Date.UTC(2026, 0, 1);
export const deviceName = (n: number) => (n % devices).toString(16).padStart(32, "0");

/** The nth referrer: nine segments in ten, each of one of a thousand devices, and a signature. */
export function referrer(n: number): { bytes: Uint8Array; descriptor: Descriptor; mediaType: string } {
  const from = began + n * 1_000;
  const { bytes, descriptor } = encodeImageManifest({
    artifactType: n % 10 === 9 ? types.signature : types.segment,
    layers: [],
    subject: model,
    annotations: {
      "tally.device": deviceName(n),
      "tally.time.from": formatTime(from),
      "tally.time.to": formatTime(from + 59_000),
    },
  });
  return { bytes, descriptor, mediaType: mediaTypes.imageManifest };
}

/** A folder of Tally's registry, the model with the tag `latest` in it. The manifests' bytes are left out: lists do not read them, and a million files are 4 GB. */
export async function seedRegistry(dir: string, count: number): Promise<void> {
  const db = await openSqlite(join(dir, "registry.db"), { cacheMebibytes: 128 });
  const blobs = new FileBlobStore(join(dir, "blobs"));
  await blobs.put(emptyDescriptor.digest, emptyBytes);
  // An empty run makes the tables.
  await bulkLoad({ db, repository, manifests: some(0) });
  await db.run("INSERT INTO registry_blob (repository, digest, size) VALUES (?, ?, ?)", [
    repository,
    emptyDescriptor.digest,
    emptyDescriptor.size,
  ]);
  await blobs.put(model.digest, modelManifest.bytes);
  await bulkLoad({ db, repository, manifests: withModel(count) });
  await db.run("INSERT INTO registry_tag (repository, tag, digest) VALUES (?, 'latest', ?)", [
    repository,
    model.digest,
  ]);
  await db.close();
}

/** The same as an OCI image layout, which is how zot stores a repository. */
export async function seedLayout(dir: string, count: number): Promise<void> {
  const blobs = join(dir, "blobs", "sha256");
  await mkdir(blobs, { recursive: true });
  const place = ({ digest }: Descriptor) => join(blobs, digest.slice("sha256:".length));
  await writeFile(place(emptyDescriptor), emptyBytes);
  const manifests: Descriptor[] = [];
  for (let n = 0; n < count; n += 1) {
    const { bytes, descriptor } = referrer(n);
    await writeFile(place(descriptor), bytes);
    manifests.push(descriptor);
  }
  await writeFile(join(dir, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(join(dir, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
}

async function* withModel(count: number) {
  yield { bytes: modelManifest.bytes, mediaType: mediaTypes.imageManifest };
  yield* some(count);
}

async function* some(count: number) {
  for (let n = 0; n < count; n += 1) yield referrer(n);
}

if (import.meta.url === pathToFileURL(process.argv[1]!).href) {
  const [dir = "", count] = process.argv.slice(2);
  const before = performance.now();
  await seedRegistry(dir, Number(count));
  process.send?.({ seconds: (performance.now() - before) / 1000, maxRssBytes: process.resourceUsage().maxRSS * 1024 });
  process.disconnect?.();
}
