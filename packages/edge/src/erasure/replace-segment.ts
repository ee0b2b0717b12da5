import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Digest,
  decodeEntry,
  type ErasedSegment,
  hashLeaf,
  type Inference,
  isDigest,
  type Label,
} from "@tally/evidence";
import { OciError, packModelKit, RegistryClient, unpackModelKit } from "@tally/oci";
import type { DeviceCore } from "../device-core.ts";
import { EdgeError } from "../error.ts";
import { knownRepositories } from "../models/repositories.ts";
import { unreachable } from "../plane/http.ts";
import type { PlaneSession } from "../plane/session.ts";
import { buildRows, type PlacedEntry } from "../segments/build-rows.ts";
import { decodePayloads } from "../segments/payload-sequence.ts";
import { segmentAnnotations } from "../segments/segment-annotations.ts";
import { segmentFiles } from "../segments/segment-files.ts";
import { segmentKitfile } from "../segments/segment-kitfile.ts";
import { readPart } from "../segments/segment-part.ts";
import { decodeProof } from "../segments/segment-proof.ts";

/**
 * Pushes a segment of this device again without what was erased: the same proof, the rows that stay. Undefined where it
 * holds nothing of it, or the registry does not have it any more. The layers that it names are not deleted yet.
 *
 * @throws EdgeError `unreachable`, `plane-refused`, `segment-invalid`
 */
export async function replaceSegment(
  core: DeviceCore,
  session: PlaneSession,
  manifest: Digest,
  erased: ReadonlySet<number>,
): Promise<ErasedSegment | undefined> {
  const { config, ledger, folder: device } = core;
  const folder = await mkdtemp(join(tmpdir(), "tally-erasing-"));
  try {
    const { origin: url } = new URL(config.url);
    const token = await session.token();
    const registries = (await knownRepositories(device.state)).map(
      (repository) => new RegistryClient({ url, repository, token }),
    );
    const registry = await whereItIs(registries, manifest);
    if (registry === undefined) return undefined;
    const into = join(folder, "segment");
    const { layers, manifest: parts } = await unpackModelKit({ source: registry, reference: manifest, into });
    const payloads = decodePayloads(await readPart(into, "data/payloads.cborseq"));
    const staying = payloads.filter(({ index }) => !erased.has(index));
    if (staying.length === payloads.length) return undefined;
    const gone = layers.flatMap(({ kind, descriptor: { digest } }) =>
      kind === "dataset" && isDigest(digest) ? [digest] : [],
    );
    const proofBytes = await readPart(into, "proof/proof.cbor");
    const { from, to, entries } = decodeProof(proofBytes);
    const placed = entries.map((bytes, i) => ({ index: from + i, leaf: hashLeaf(bytes), entry: decodeEntry(bytes) }));
    const records = placed.filter(({ entry }) => entry.kind === "inference") as PlacedEntry<Inference>[];
    const labels = placed.filter(({ entry }) => entry.kind === "label") as PlacedEntry<Label>[];
    const built = buildRows(ledger.origin, records, labels, staying);
    const { rows } = built;
    if (rows.length + built.late.length === 0) return { manifest, layers: gone };
    const { subject } = parts;
    const model = (subject?.digest ?? "") as Digest;
    const { digest: replacement } = await packModelKit({
      files: segmentFiles(built, proofBytes),
      kitfile: segmentKitfile({ origin: ledger.origin, model, from, to, rows, records }),
      target: registry,
      annotations: segmentAnnotations(ledger.origin, rows, records, labels),
      ...(subject !== undefined && { subject }),
    });
    return { manifest, layers: gone, replacement };
  } catch (cause) {
    if (!(cause instanceof OciError)) throw cause;
    if (cause.code === "unreachable") throw unreachable(config.url, cause.message, cause);
    throw new EdgeError("plane-refused", `the segment ${manifest} was not replaced: ${cause.message}`, {
      cause,
      hint: "the next sync tries again",
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The repository that holds the segment. A device may not look into repositories where it has pushed nothing. */
async function whereItIs(registries: readonly RegistryClient[], manifest: Digest): Promise<RegistryClient | undefined> {
  let refused: unknown;
  for (const registry of registries) {
    try {
      await registry.manifest(manifest);
      return registry;
    } catch (error) {
      if (!(error instanceof OciError) || !["not-found", "unauthorized"].includes(error.code)) throw error;
      if (error.code === "unauthorized") refused = error;
    }
  }
  if (refused !== undefined) throw refused;
  return undefined;
}
