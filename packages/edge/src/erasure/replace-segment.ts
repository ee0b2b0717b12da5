import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, decodeEntry, type ErasedSegment, type Inference, isDigest, type Label } from "@tally/evidence";
import { OciError, packModelKit, RegistryClient, unpackModelKit } from "@tally/oci";
import type { DeviceCore } from "../device-core.ts";
import { EdgeError } from "../error.ts";
import { knownRepositories } from "../models/repositories.ts";
import { unreachable } from "../plane/http.ts";
import type { PlaneSession } from "../plane/session.ts";
import { buildRows } from "../segments/build-rows.ts";
import { placed } from "../segments/inspect-segment.ts";
import { decodePayloads } from "../segments/payload-sequence.ts";
import { type CommittingEntries, subjectKeys } from "../segments/seal-subjects.ts";
import { openPayloads } from "../segments/sealed-payloads.ts";
import { segmentAnnotations } from "../segments/segment-annotations.ts";
import { readSealed } from "../segments/segment-contents.ts";
import { segmentFiles } from "../segments/segment-files.ts";
import { segmentKitfile } from "../segments/segment-kitfile.ts";
import { readPart } from "../segments/segment-part.ts";
import { decodeProof, type SegmentProof } from "../segments/segment-proof.ts";

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
  const { config, salts, folder: device } = core;
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
    const { subject } = parts;
    const proofBytes = await readPart(into, "proof/proof.cbor");
    const proof = decodeProof(proofBytes);
    const { origin, from, to } = proof;
    const entries = { records: placed<Inference>(proof, "inference"), labels: placed<Label>(proof, "label") };
    const sealed = await readSealed(into);
    const payloads =
      sealed === undefined
        ? decodePayloads(await readPart(into, "data/payloads.cborseq"))
        : openPayloads({ origin, from, to }, sealed, await subjectKeys(salts, entries, sealed.nonce)).payloads;
    const staying = payloads.filter(({ index }) => !erased.has(index));
    const isTouched =
      sealed === undefined ? staying.length < payloads.length : mayHold(proof, entries, erased, subject?.digest);
    if (!isTouched) return undefined;
    const gone = layers.flatMap(({ kind, descriptor: { digest } }) =>
      kind === "dataset" && isDigest(digest) ? [digest] : [],
    );
    const built = buildRows(origin, entries.records, entries.labels, staying);
    const { rows } = built;
    if (rows.length + built.late.length === 0) return { manifest, layers: gone };
    // Who may open it today; where that is nobody, it is not opened up to everybody.
    const recipients = config.recipients.length > 0 ? config.recipients : (sealed?.recipients ?? []);
    const model = (subject?.digest ?? "") as Digest;
    const { digest: replacement } = await packModelKit({
      files: await segmentFiles(built, proofBytes, { recipients, salts, place: { origin, from, to }, entries }),
      kitfile: segmentKitfile({ origin, model, from, to, rows, records: entries.records, recipients }),
      target: registry,
      annotations: segmentAnnotations(origin, rows, entries.records, entries.labels),
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

/** What of an encrypted segment went with its key cannot be seen in it; its entries say what it may have held. */
function mayHold(
  proof: SegmentProof,
  { records, labels }: CommittingEntries,
  erased: ReadonlySet<number>,
  model: string | undefined,
): boolean {
  const entries = new Map([
    ...proof.entries.map((bytes, i) => [proof.from + i, bytes] as const),
    ...proof.others.map(({ index, entry }) => [index, entry] as const),
  ]);
  const isOfModel = (loadIndex: number) => {
    const bytes = entries.get(loadIndex);
    const load = bytes && decodeEntry(bytes);
    return load?.kind === "load" && load.manifest === model;
  };
  return (
    records.some(({ index, entry }) => erased.has(index) && isOfModel(entry.loadIndex)) ||
    labels.some(({ index }) => erased.has(index))
  );
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
