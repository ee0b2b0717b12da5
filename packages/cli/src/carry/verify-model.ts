import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { openSegment } from "@tally/edge";
import { type Digest, bundleMediaType as evidenceType, identitiesFor, publicKeyPem, type Trust } from "@tally/evidence";
import {
  type Carried,
  type Descriptor,
  isSegment,
  refNameAnnotation,
  bundleMediaType as signatureType,
  unpackModelKit,
  verifyModel,
} from "@tally/oci";
import type { Admissions } from "../fleet-log.ts";
import { keysIn, requireEnrolled } from "../open-segments.ts";
import { counted } from "../terminal/index.ts";
import { type Evidence, readEvidence } from "./evidence.ts";
import { repositoryAnnotation } from "./export-model.ts";

/** One thing that was looked at. Without what is required nothing is taken in. */
export interface CarryCheck {
  readonly name: string;
  readonly about: string;
  readonly result: "good" | "bad" | "not made";
  readonly reason: string;
  readonly required: boolean;
}

/** A model that was carried here, and what is proven of it. */
export interface CarriedModel {
  readonly manifest: Digest;
  /** As a proven model statement says; null where none does. */
  readonly repository: string | null;
  /** As the layout's index says: whoever carried it could have changed that. */
  readonly tag: string | null;
  readonly checks: readonly CarryCheck[];
  readonly evidence: readonly Evidence[];
}

export interface VerifyCarried {
  readonly carried: Carried;
  readonly root: Descriptor;
  readonly trust: Trust;
  /** A folder for what has to be unpacked in order to be verified. */
  readonly temporary: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Verifies one model of a layout: evidence first, since it proves whose model it is and which devices there are. */
export async function verifyCarriedModel(options: VerifyCarried): Promise<CarriedModel> {
  const { carried, root, temporary } = options;
  const manifest = root.digest as Digest;
  const checks: CarryCheck[] = [];
  const note = (name: string, about: string, result: CarryCheck["result"], reason: string, required = true) =>
    void checks.push({ name, about, result, reason, required });
  const attached = { evidence: [] as Digest[], signatures: [] as Digest[], segments: [] as Digest[] };
  for await (const { digest, artifactType } of carried.referrers(manifest)) {
    const found = digest as Digest;
    if (artifactType === evidenceType) attached.evidence.push(found);
    else if (artifactType === signatureType) attached.signatures.push(found);
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
  const dir = await mkdtemp(join(temporary, "model-"));
  try {
    await verifySignatures(options, attached.signatures, repository, join(dir, "files"), note);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  const fleet = evidence.find((each) => each.fleet !== undefined)?.fleet;
  for (const segment of attached.segments) await verifySegment(options, segment, manifest, fleet, note);
  const tag = root.annotations?.[refNameAnnotation] ?? null;
  if (tag !== null) note("tag", tag, "not made", "a tag is signed by nobody: only the layout says so", false);
  return { manifest, repository, tag, checks, evidence };
}

type Note = (name: string, about: string, result: CarryCheck["result"], reason: string, required?: boolean) => void;

async function evidenceOf(
  { carried, trust, now }: VerifyCarried,
  artifact: Digest,
  model: Digest,
  note: Note,
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

function checkRepository({ digest, annotations }: Descriptor, proven: string | null, note: Note): void {
  const said = annotations?.[repositoryAnnotation];
  if (proven === null) {
    note("repository", digest, "not made", "no proven statement says of which repository it is a model");
  } else if (said !== undefined && said !== proven) {
    note("repository", digest, "bad", `the layout says ${said}, and the model's signed statement ${proven}`);
  } else note("repository", digest, "good", `${proven}, by its signed model statement`);
}

/** One signature by somebody who may is enough; others prove nothing, and harm nothing. */
async function verifySignatures(
  { carried, root, trust, now }: VerifyCarried,
  signatures: readonly Digest[],
  repository: string | null,
  into: string,
  note: Note,
): Promise<void> {
  if (repository === null || signatures.length === 0) {
    const why =
      repository === null ? "without a repository nobody is known to be allowed to sign it" : "none came with it";
    note("signature", root.digest, "not made", why);
    return;
  }
  try {
    await unpackModelKit({ source: carried, reference: root.digest, into });
  } catch (error) {
    throwOwn(error);
    note("files", root.digest, "bad", (error as Error).message);
    return;
  }
  const able = identitiesFor(trust, { action: "sign-model", repository, atMs: now });
  let signed = false;
  for (const signature of signatures) {
    const { manifest } = await carried.manifest(signature);
    const layer = manifest.kind === "image" ? manifest.layers[0] : undefined;
    const bundle = layer === undefined ? new Uint8Array() : Buffer.concat(await Array.fromAsync(carried.blob(layer)));
    let reason = "nobody in the trust file may sign models of this repository";
    for (const { name, spki } of able) {
      const { outcome, checks } = await verifyModel({ bundle, files: into, publicKeyPem: publicKeyPem(spki) });
      if (outcome === "good") {
        signed = true;
        note("signature", signature, "good", `by ${name}, over these files`);
        reason = "";
        break;
      }
      const failed = checks.find(({ result }) => result !== "good");
      reason = failed === undefined ? "no check was made" : `${failed.name}: ${failed.message}`;
    }
    if (reason !== "") note("signature", signature, "not made", reason, false);
  }
  if (!signed) note("signature", root.digest, "bad", "none of those that came with it is of anyone who may sign it");
}

async function verifySegment(
  { carried, temporary }: VerifyCarried,
  segment: Digest,
  model: Digest,
  fleet: Admissions | undefined,
  note: Note,
): Promise<void> {
  const dir = await mkdtemp(join(temporary, "segment-"));
  try {
    const into = join(dir, "files");
    const { manifest } = await unpackModelKit({ source: carried, reference: segment, into });
    if (manifest.subject?.digest !== model) throw new Error(`its subject is not ${model}`);
    const opened = await openSegment(into, keysIn(fleet));
    if (opened.model !== null && opened.model !== model) throw new Error(`its records are of ${opened.model}`);
    const { origin, from, to, rows } = opened;
    const what = `${counted(rows.length, "row")} of entries ${from} to ${to} of ${origin}`;
    if (fleet === undefined) {
      note("segment", segment, "not made", `${what}: no proven fleet log says whose device it is`);
      return;
    }
    requireEnrolled(opened, segment, fleet.get(origin));
    note("segment", segment, "good", `${what}, each against its ledger`);
  } catch (error) {
    throwOwn(error);
    const { code, message } = error as { code?: string; message: string };
    const closed = code === "segment-encrypted";
    note(
      "segment",
      segment,
      closed ? "not made" : "bad",
      closed ? "its contents are for others to open" : message,
      !closed,
    );
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** What this machine's disk does is not the carrier's fault. */
function throwOwn(error: unknown): void {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === "storage-full" || code === "storage-failed" || syscall !== undefined) throw error;
}
