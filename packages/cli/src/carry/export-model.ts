import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { bundleMediaType, type DataResponse, type Digest, parseDigest } from "@tally/evidence";
import {
  type CarrierWriter,
  copyArtifact,
  type Descriptor,
  emptyBytes,
  emptyDescriptor,
  encodeImageManifest,
  isSegment,
  OciError,
  parseArtifactName,
  refNameAnnotation,
} from "@tally/oci";
import { repositoryOf } from "../artifact.ts";
import { download } from "../download.ts";
import type { PlaneClient } from "../plane-client.ts";
import { usageError } from "../terminal/index.ts";

/** In the index of a layout: the repository that a manifest is from, as whoever wrote the layout says. */
export const repositoryAnnotation = "tally.repository";

export interface ExportWanted {
  readonly client: PlaneClient;
  readonly writer: CarrierWriter;
  /** `repository:tag` or `repository@sha256:…`. */
  readonly ref: string;
  /** Segments with the model's records, and what proves each record. */
  readonly segments: boolean;
  /** Where the evidence is put while it arrives. */
  readonly temporary: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export interface ExportedModel {
  readonly manifest: Digest;
  readonly repository: string;
  readonly tag: string | null;
  /** Manifests that came along: signatures and whatever else refers to it. */
  readonly attached: number;
  readonly segments: readonly Digest[];
  /** Segments whose contents are gone from the registry, as they are after an erasure. */
  readonly gone: readonly Digest[];
  /** The evidence bundle's digest. */
  readonly evidence: Digest;
}

/** Puts a model into a layout: its bytes, what is attached to it, and the plane's answer about it with every proof. */
export async function exportModel(wanted: ExportWanted): Promise<ExportedModel> {
  const { client, writer, ref, segments } = wanted;
  if (ref.startsWith("sha256:"))
    throw usageError("a digest alone does not say where it lies", `write REPOSITORY@${ref}`);
  const { repository, reference } = parseArtifactName(ref);
  const source = repositoryOf(client, repository);
  const { digest: manifest, descriptor } = await source.resolve(reference);
  const tag = reference.includes(":") ? null : reference;
  await copyArtifact(source, writer, manifest);
  writer.annotate(manifest, { [repositoryAnnotation]: repository, ...(tag !== null && { [refNameAnnotation]: tag }) });
  let attached = 0;
  for await (const { digest, artifactType } of source.referrers(manifest)) {
    // Evidence of an earlier import or export: what is asked for now says more.
    if (artifactType === bundleMediaType || isSegment((await source.manifest(digest)).manifest)) continue;
    await copyArtifact(source, writer, digest, { referrers: "all" });
    attached += 1;
  }
  const taken = segments ? await exportSegments(wanted, repository, manifest) : { segments: [], gone: [] };
  const evidence = await exportEvidence(wanted, descriptor, manifest);
  return { manifest, repository, tag, attached, ...taken, evidence };
}

/** Of segments those that a device's ledger names. */
async function exportSegments({ client, writer }: ExportWanted, repository: string, model: Digest) {
  const found = await client.get<DataResponse>(`/api/v1/data?${new URLSearchParams({ model })}`);
  const source = repositoryOf(client, repository);
  const taken = { segments: [] as Digest[], gone: [] as Digest[] };
  for (const segment of new Set(found.segments.map((item) => parseDigest(item.manifest)))) {
    try {
      await copyArtifact(source, writer, segment, { referrers: "all" });
      taken.segments.push(segment);
    } catch (error) {
      if (!(error instanceof OciError) || error.code !== "not-found") throw error;
      taken.gone.push(segment);
    }
  }
  return taken;
}

/**
 * The evidence is the answer to a question, as `tally audit` gets it, and hangs on the model as an artifact. Without segments
 * it is asked for records before 1970, of which there are none: what is left is the plane's log about this model.
 */
async function exportEvidence(wanted: ExportWanted, subject: Descriptor, model: Digest): Promise<Digest> {
  const { client, writer, segments, temporary, now } = wanted;
  const to = String(segments ? now : 1);
  const query = new URLSearchParams({ model, from: "0", to, ...(segments && { detail: "summarised" }) });
  const path = `/api/v1/audit?${query}`;
  const of = `${client.url}${path}`;
  const part = await download({ path: temporary, of, ask: (begun) => client.piece(path, begun) });
  try {
    const hash = createHash("sha256");
    let size = 0;
    for await (const chunk of createReadStream(part)) {
      hash.update(chunk);
      size += chunk.length;
    }
    const digest = parseDigest(`sha256:${hash.digest("hex")}`);
    const layer = { mediaType: bundleMediaType, digest, size };
    await writer.pushFile(part, layer);
    await writer.pushBlob(emptyDescriptor, emptyBytes);
    const parts = { artifactType: bundleMediaType, config: emptyDescriptor, layers: [layer], subject };
    const { bytes, descriptor } = encodeImageManifest(parts);
    await writer.pushManifest(bytes, descriptor.mediaType);
    return digest;
  } finally {
    await rm(part, { force: true });
  }
}
