import { type Digest, bundleMediaType as evidenceType, modelSignatureType } from "@tally/evidence";
import { type CarriedRoot, isSegment, bundleMediaType as signatureType } from "@tally/oci";
import { type CarriedBase, findBases } from "./carried-bases.ts";
import type { CarryCheck, NoteCheck } from "./carry-check.ts";
import { type Evidence, readEvidence } from "./evidence.ts";
import type { VerifyCarried } from "./verify-carried.ts";
import { verifySegment } from "./verify-carried-segment.ts";
import { verifySignatures } from "./verify-signatures.ts";

/** A model that was carried here, and what is proven of it. */
export interface CarriedModel {
  readonly manifest: Digest;
  /** As a proven model statement says; null where none does. */
  readonly repository: string | null;
  /** As the layout's index says: whoever carried it could have changed that, unless an inventory says the same. */
  readonly tags: readonly string[];
  /** The kits that it names as its base and that came along, the nearest first. */
  readonly bases: readonly CarriedBase[];
  readonly checks: readonly CarryCheck[];
  readonly evidence: readonly Evidence[];
}

/** Verifies one model of a layout: evidence first, since it proves whose model it is and which devices there are. */
export async function verifyCarriedModel(options: VerifyCarried): Promise<CarriedModel> {
  const { carried, root, namesAreSigned } = options;
  const manifest = root.digest as Digest;
  const checks: CarryCheck[] = [];
  const note: NoteCheck = (name, about, result, reason, required = true) =>
    void checks.push({ name, about, result, reason, required });
  const attached = { evidence: [] as Digest[], signatures: [] as Digest[], segments: [] as Digest[] };
  for await (const { digest, artifactType, annotations } of carried.referrers(manifest)) {
    const found = digest as Digest;
    const said = annotations?.["dev.sigstore.bundle.predicateType"] ?? modelSignatureType;
    if (artifactType === evidenceType) attached.evidence.push(found);
    else if (artifactType === signatureType && said === modelSignatureType) attached.signatures.push(found);
    else if (isSegment((await carried.manifest(found)).manifest)) attached.segments.push(found);
    else note("attached", found, "not made", `${artifactType ?? "what it is"}: carried along, not looked at`, false);
  }
  const evidence: Evidence[] = [];
  for (const digest of attached.evidence) {
    const read = await evidenceOf(options, digest, manifest, note);
    if (read !== undefined) evidence.push(read);
  }
  if (attached.evidence.length === 0) note("evidence", manifest, "not made", "no evidence came with it");
  const proven = evidence
    .flatMap(({ report }) => report.answer?.models ?? [])
    .find((each) => each.manifest === manifest);
  const repository = proven?.repository ?? null;
  checkRepository(root, repository, note);
  const bases = await findBases(carried, manifest, note);
  if (bases !== undefined) {
    const isSigned = await verifySignatures(options, attached.signatures, repository, note);
    for (const { name, manifest: base } of bases) {
      if (isSigned) note("base", base, "good", `${name}: its files are among those that the signature is over`);
      else note("base", base, "not made", `${name}: no signature that counts is over its files`);
    }
  }
  const fleet = evidence.find((each) => each.fleet !== undefined)?.fleet;
  for (const segment of attached.segments) await verifySegment(options, segment, manifest, fleet, note);
  const tags = root.names.flatMap(({ tag }) => tag ?? []);
  for (const tag of tags) {
    if (namesAreSigned) note("tag", tag, "good", "as the inventory says", false);
    else note("tag", tag, "not made", "a tag is signed by nobody: only the layout says so", false);
  }
  return { manifest, repository, tags, bases: bases ?? [], checks, evidence };
}

async function evidenceOf(
  { carried, trust, now }: VerifyCarried,
  artifact: Digest,
  model: Digest,
  note: NoteCheck,
): Promise<Evidence | undefined> {
  const { manifest } = await carried.manifest(artifact);
  const layer = manifest.kind === "image" ? manifest.layers[0] : undefined;
  if (layer === undefined) {
    note("evidence", artifact, "bad", "it has no bundle");
    return undefined;
  }
  const evidence = await readEvidence(carried.path(layer.digest), trust, now);
  const { question, outcome } = evidence.report;
  if (question !== null && (question.kind !== "records" || question.model !== model)) {
    note("evidence", artifact, "bad", "it answers a question about something else than this model");
    return undefined;
  }
  const result = outcome === "not proven" ? "not made" : outcome;
  note("evidence", layer.digest, result, outcome === "good" ? "every required check of it held" : `it is ${outcome}`);
  return evidence;
}

function checkRepository({ digest, names }: CarriedRoot, proven: string | null, note: NoteCheck): void {
  const other = names.find(({ repository }) => repository !== undefined && repository !== proven)?.repository;
  if (proven === null) {
    note("repository", digest, "not made", "no proven statement says of which repository it is a model");
  } else if (other !== undefined) {
    note("repository", digest, "bad", `the layout says ${other}, and the model's signed statement ${proven}`);
  } else note("repository", digest, "good", `${proven}, by its signed model statement`);
}
