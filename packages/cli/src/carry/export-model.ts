import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { bundleMediaType, type DataResponse, type Digest, type InventoryGap, parseDigest } from "@tally/evidence";
import {
  type CarrierWriter,
  copyArtifact,
  type Descriptor,
  emptyBytes,
  emptyDescriptor,
  encodeImageManifest,
  OciError,
  parseArtifactName,
} from "@tally/oci";
import { repositoryOf } from "../artifact.ts";
import { download } from "../download.ts";
import type { PlaneClient } from "../plane-client.ts";
import { usageError } from "../terminal/index.ts";
import type { CarriedNames } from "./carried-names.ts";
import { exportAttached } from "./export-attached.ts";
import { type ExportedBase, exportBases, nameOf } from "./export-bases.ts";

export interface ExportWanted {
  readonly client: PlaneClient;
  readonly writer: CarrierWriter;
  readonly names: CarriedNames;
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
  /** The kits that it names as its base, the nearest first. */
  readonly bases: readonly ExportedBase[];
  readonly segments: readonly Digest[];
  /** Segments whose contents are gone from the registry, as they are after an erasure. */
  readonly gone: readonly Digest[];
  /** The evidence bundle's digest. */
  readonly evidence: Digest;
  /** What belongs to it and could not be had. */
  readonly missing: readonly InventoryGap[];
}

/** Puts a model into a layout: its bytes, those of its bases, what is attached to it, and the plane's answer about it with every proof. */
export async function exportModel(wanted: ExportWanted): Promise<ExportedModel> {
  const { client, writer, names, ref, segments } = wanted;
  if (ref.startsWith("sha256:"))
    throw usageError("a digest alone does not say where it lies", `write REPOSITORY@${ref}`);
  const { repository, reference } = parseArtifactName(ref);
  const source = repositoryOf(client, repository);
  const { digest: manifest, descriptor } = await source.resolve(reference);
  names.add(repository, "model", (await copyArtifact(source, writer, manifest)).manifests);
  const name = nameOf({ repository, reference });
  writer.name(manifest, name);
  const { bases, missing } = await exportBases(writer, source, manifest, names);
  const attached = await exportAttached(writer, source, manifest, repository, names);
  const taken = segments ? await exportSegments(wanted, repository, manifest) : { segments: [], gone: [] };
  const evidence = await exportEvidence(wanted, descriptor, manifest, repository);
  const gone = taken.gone.map(
    (name): InventoryGap => ({ what: "segment", of: manifest, name, reason: "its contents are gone" }),
  );
  return {
    manifest,
    repository,
    tag: name.tag ?? null,
    attached,
    bases,
    ...taken,
    evidence,
    missing: [...missing, ...gone],
  };
}

/** Of segments those that a device's ledger names. */
async function exportSegments({ client, writer, names }: ExportWanted, repository: string, model: Digest) {
  const found = await client.get<DataResponse>(`/api/v1/data?${new URLSearchParams({ model })}`);
  const source = repositoryOf(client, repository);
  const taken = { segments: [] as Digest[], gone: [] as Digest[] };
  for (const segment of new Set(found.segments.map((item) => parseDigest(item.manifest)))) {
    try {
      names.add(repository, "segment", (await copyArtifact(source, writer, segment, { referrers: "all" })).manifests);
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
async function exportEvidence(
  wanted: ExportWanted,
  subject: Descriptor,
  model: Digest,
  repository: string,
): Promise<Digest> {
  const { client, writer, names, segments, temporary, now } = wanted;
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
    const { digest: attached } = await writer.pushManifest(bytes, descriptor.mediaType);
    names.add(repository, "evidence", [attached]);
    return digest;
  } finally {
    await rm(part, { force: true });
  }
}
