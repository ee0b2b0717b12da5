import { lstat, mkdir } from "node:fs/promises";
import { join } from "node:path";
import {
  type CborValue,
  encodeCbor,
  hashFromDigest,
  loadReasons,
  type MeasuredFile,
  type Model,
  maxInlineItems,
  modelType,
  parseModel,
} from "@tally/evidence";
import { OciError, RegistryClient, unpackModelKit } from "@tally/oci";
import { decide, permitBytes } from "@tally/policy";
import { type DeviceCore, whenRoom } from "../device-core.ts";
import { EdgeError } from "../error.ts";
import type { PlaneSession } from "../plane/session.ts";
import type { LiveLoad, LoadFields } from "../recorder/recorder.ts";
import { onnxRuntime } from "../runtime/onnx-session.ts";
import { type MeasuredModelFile, measureFiles, UnreadableFile } from "./measure.ts";
import { type RefusalDetails, type RefusalReason, RefusedLoad, refusalBy } from "./refused-load.ts";
import { keepRepository } from "./repositories.ts";
import { type ResolvedChannel, resolveChannel } from "./resolve-channel.ts";

/** A model that may run: what it is, the bytes that were measured, and its load. */
export interface AcceptedModel {
  readonly resolved: ResolvedChannel;
  readonly files: readonly MeasuredModelFile[];
  readonly load: LiveLoad;
}

/**
 * From a channel to bytes that may run: resolve, pull by digest, measure, decide, record. A model that fails any step does
 * not run, and that it was refused is an entry of the ledger.
 *
 * @throws EdgeError `load-refused` with every reason; `unreachable`, `plane-untrusted`, `plane-refused`, `model-not-found`.
 */
export async function loadGuarded(core: DeviceCore, session: PlaneSession, channel: string): Promise<AcceptedModel> {
  try {
    const resolved = await resolveChannel(core, session, channel);
    const model = modelOf(resolved);
    const folder = await pulled(core, session, resolved, model);
    const files = await measured(folder, model, resolved);
    const permit = await permitted(core, resolved, files);
    const fields = await loadFields(core, resolved, files);
    await keepRepository(core.folder.state, resolved.manifest, resolved.repository);
    const load = await whenRoom(core, () => core.recorder.load({ ...fields, permit, outcome: "accepted", reason: 0 }));
    await load.appended.committed;
    return { resolved, files, load };
  } catch (error) {
    if (!(error instanceof RefusedLoad)) throw error;
    throw await recordRefusal(core, channel, error);
  }
}

/** The model statement of a known signer, which names the files. */
function modelOf({ statements, manifest, release, notCounting }: ResolvedChannel): Model {
  for (const { predicateType, signers, statement } of statements) {
    if (predicateType !== modelType || signers.length === 0) continue;
    const model = parseModel(statement);
    if (model.manifest === manifest) return model;
  }
  const why = `no statement of a known signer says which files ${manifest} has`;
  if (notCounting.length > 0) throw revoked(why, notCounting, { manifest, release });
  throw new RefusedLoad("signature-missing", why, { manifest, release });
}

/** The folder with the model's files, pulled by digest if it is not here. */
async function pulled(
  core: DeviceCore,
  session: PlaneSession,
  { manifest, repository }: ResolvedChannel,
  { base }: Model,
): Promise<string> {
  const folder = join(core.folder.models, manifest.slice("sha256:".length));
  if (await lstat(folder).catch(() => undefined)) return folder;
  await mkdir(core.folder.models, { recursive: true, mode: 0o700 });
  const { origin } = new URL(core.config.url);
  const source = new RegistryClient({ url: origin, repository, token: await session.token() });
  try {
    // A device follows no tags: which base is meant, the signed statement says.
    await unpackModelKit({ source, reference: manifest, into: folder, ...(base && { base }) });
    return folder;
  } catch (cause) {
    if (!(cause instanceof OciError)) throw cause;
    const code = codeOf[cause.code] ?? "plane-refused";
    throw new EdgeError(code, `${manifest} of ${repository} cannot be pulled: ${cause.message}`, {
      cause,
      ...(cause.hint !== undefined && { hint: cause.hint }),
    });
  }
}

const codeOf: Readonly<Record<string, "unreachable" | "model-not-found">> = {
  unreachable: "unreachable",
  "not-found": "model-not-found",
};

async function measured(
  folder: string,
  model: Model,
  { manifest, release }: ResolvedChannel,
): Promise<readonly MeasuredModelFile[]> {
  const names = model.files.map(({ name }) => name);
  return measureFiles(folder, names).catch((error: unknown) => {
    if (!(error instanceof UnreadableFile)) throw error;
    throw new RefusedLoad("file-mismatch", error.message, { manifest, release });
  });
}

/** The digest of the verdict that allows it, which the plane gets with the next sync. */
async function permitted(core: DeviceCore, resolved: ResolvedChannel, files: readonly MeasuredFile[]) {
  const { manifest, repository, channel, statements, release } = resolved;
  const verdict = decide({
    gate: "load",
    manifest,
    repository,
    channel,
    statements,
    trust: core.trust,
    files: files.map(({ digest, size }) => ({ digest, size })),
    at: core.clock.now(),
  });
  if (!verdict.allow) {
    const refusal = refusalBy(verdict, { manifest, release, files });
    if (resolved.notCounting.length === 0 || !bySigner.includes(refusal.reason)) throw refusal;
    throw revoked(refusal.message, resolved.notCounting, refusal.details);
  }
  return core.outbox.put(permitBytes(verdict));
}

/** Refusals that may come of a signature that counts no more. */
const bySigner: readonly RefusalReason[] = ["signer-not-trusted", "not-approved", "not-released"];

function revoked(why: string, notCounting: readonly string[], details: RefusalDetails): RefusedLoad {
  return new RefusedLoad("signer-revoked", `${why}; ${notCounting.join("; ")}`, details);
}

type CommonFields = Omit<LoadFields, "permit" | "outcome" | "reason">;

async function loadFields(
  { outbox }: DeviceCore,
  { manifest, release }: Pick<ResolvedChannel, "manifest"> & Partial<Pick<ResolvedChannel, "release">>,
  files: readonly MeasuredFile[],
): Promise<CommonFields> {
  const common = { manifest, ...onnxRuntime, grade: "measured", ...(release !== undefined && { release }) } as const;
  const listed = files.map(({ digest, size }) => ({ digest, size }));
  if (files.length <= maxInlineItems) return { ...common, files: listed };
  const list = listed.map(({ digest, size }): CborValue => [hashFromDigest(digest), size]);
  return { ...common, files: [], filesBlob: await outbox.put(encodeCbor(list)) };
}

async function recordRefusal(core: DeviceCore, channel: string, refused: RefusedLoad): Promise<EdgeError> {
  const { manifest, release, files = [] } = refused.details;
  const fields = await loadFields(core, { manifest, ...(release !== undefined && { release }) }, files);
  const reason = loadReasons[refused.reason];
  const appended = await whenRoom(core, () =>
    core.recorder.refuse({ ...fields, permit: null, outcome: "refused", reason }),
  );
  await appended.committed;
  return new EdgeError("load-refused", `${channel} was refused (${refused.reason}): ${refused.message}`, {
    cause: refused,
    hint: hintOf(core, refused),
  });
}

function hintOf({ folder }: DeviceCore, { reason, details }: RefusedLoad): string {
  if (reason === "signature-missing") {
    return `the refusal is in the ledger; if its signer is to be known here, the operator's newer trust file belongs at ${folder.trust}`;
  }
  if (reason !== "file-mismatch") return "the refusal is in the ledger; ask whoever released the model";
  const own = join(folder.models, details.manifest.slice("sha256:".length));
  return `the refusal is in the ledger; keep ${own} as evidence elsewhere, and load again to pull the model anew`;
}
