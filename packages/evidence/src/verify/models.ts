import type { Question } from "../bundle/index.ts";
import { memberTypes } from "../bundle/index.ts";
import { fromUtf8 } from "../bytes.ts";
import type { Digest } from "../digest.ts";
import type { Load } from "../entries/index.ts";
import { EvidenceError } from "../error.ts";
import {
  approvalType,
  type Model,
  modelSignatureType,
  modelType,
  parseApproval,
  parseModel,
  parseModelSignature,
  parseRelease,
  releaseType,
} from "../statements/index.ts";
import type { TrustedIdentity } from "../trust/index.ts";
import type { Context } from "./context.ts";
import type { DeviceLedger } from "./device-ledger.ts";
import { type Origin, verifyOrigin } from "./model-origin.ts";
import { type ProvenStatement, provenStatements, signersOf, use } from "./proven-statements.ts";
import type { RecordAnswer } from "./records.ts";

/** What is proven of one model: who made, approved and released it, and from what. */
export interface ModelAnswer {
  readonly manifest: Digest;
  readonly repository: string | null;
  readonly files: Model["files"];
  readonly signedBy: readonly string[];
  readonly approvedBy: readonly string[];
  readonly releases: readonly { readonly channel: string; readonly sequence: number; readonly by: readonly string[] }[];
  readonly origin: Origin;
  readonly inside: number;
  readonly possiblyInside: number;
  readonly devices: number;
}

const name = {
  model: "model statement",
  signature: "model signature",
  files: "loaded files",
  approval: "approval",
  release: "release",
  permit: "permit",
};

/** Checks the statements behind every model that the answer names, or that the question asks for. */
export function verifyModels(
  records: readonly RecordAnswer[],
  ledgers: readonly DeviceLedger[],
  question: Question,
  context: Context,
): readonly ModelAnswer[] {
  const statements = provenStatements(context);
  const all = ledgers.flatMap(({ entries }) =>
    [...entries.values()].flatMap(({ entry }) =>
      entry.kind === "load" && entry.outcome === "accepted" ? [entry] : [],
    ),
  );
  const asked = question.kind === "records" ? question.model : null;
  const manifests = new Set(all.map(({ manifest }) => manifest).filter((manifest) => manifest !== null));
  const wanted = asked === null ? manifests : new Set([asked]);
  return [...wanted].sort().map((manifest) => {
    const own = records.filter((record) => record.model === manifest);
    const loads = all.filter((load) => load.manifest === manifest);
    const count = (standing: string) => own.filter((record) => record.standing === standing).length;
    return {
      ...verifyModel(manifest, loads, statements, context),
      inside: count("inside"),
      possiblyInside: count("possibly inside"),
      devices: new Set(own.map(({ origin }) => origin)).size,
    };
  });
}

type Proven = Omit<ModelAnswer, "inside" | "possiblyInside" | "devices">;

function verifyModel(
  manifest: Digest,
  loads: readonly Load[],
  statements: readonly ProvenStatement[],
  context: Context,
): Proven {
  const { materials, checklist } = context;
  const about = statements.filter(({ subjects }) => subjects.includes(manifest));
  for (const statement of about) use(statement, materials);
  const model = findModel(manifest, about, context);
  if (model === undefined) {
    checklist.missing(
      name.model,
      manifest,
      "no statement in the bundle, signed by someone who may, says what it is made of",
    );
    return nothingProven(manifest);
  }
  checklist.good(
    name.model,
    manifest,
    `${model.statement.repository}, ${model.statement.files.length} files, by ${names(model.by)}`,
  );
  const signers = verifySignature(model.statement, statements, context);
  verifyLoads(model.statement, loads, context);
  const approval = verifyApproval(model.statement, [...model.by, ...signers], about, context);
  const releases = verifyRelease(model.statement, approval?.index, about, context);
  return {
    manifest,
    repository: model.statement.repository,
    files: model.statement.files,
    signedBy: unique(signers.map((identity) => identity.name)),
    approvedBy: approval?.by ?? [],
    releases,
    origin: verifyOrigin(model.statement, statements, context),
  };
}

function findModel(manifest: Digest, about: readonly ProvenStatement[], context: Context) {
  for (const from of about) {
    if (from.envelope.statement.predicateType !== modelType) continue;
    const statement = parseModel(from.envelope.statement);
    const by = signersOf(from, { action: "sign-model", repository: statement.repository }, context);
    if (statement.manifest === manifest && by.length > 0) return { statement, by, from };
  }
  return undefined;
}

function verifySignature(
  model: Model,
  statements: readonly ProvenStatement[],
  context: Context,
): readonly TrustedIdentity[] {
  const { checklist, materials } = context;
  const found = statements.find(({ envelope }) => envelope.digest === model.signature);
  if (found === undefined) {
    checklist.missing(
      name.signature,
      model.manifest,
      "the bundle does not hold the model signature that the model statement names",
    );
    return [];
  }
  const signers = checklist.attempt(
    name.signature,
    model.manifest,
    () => {
      use(found, materials);
      if (found.envelope.statement.predicateType !== modelSignatureType)
        throw broken("it is no OpenSSF model signature");
      const by = signersOf(found, { action: "sign-model", repository: model.repository }, context);
      if (by.length === 0) throw broken("nobody whom the trust file lets sign models has signed it");
      const signed = new Set(parseModelSignature(found.envelope.statement).resources.map(({ digest }) => digest));
      const stray = model.files.find(({ digest }) => !signed.has(digest));
      if (stray !== undefined) throw broken(`it does not cover ${stray.name}`);
      return by;
    },
    (by) => `covers all ${model.files.length} files, by ${names(by)}`,
  );
  return signers ?? [];
}

function verifyLoads(model: Model, loads: readonly Load[], { checklist, materials }: Context): void {
  const known = new Set(model.files.map(({ digest }) => digest));
  const stray = loads.flatMap(({ files }) => files).find(({ digest }) => !known.has(digest));
  if (stray !== undefined) {
    checklist.bad(name.files, model.manifest, `a device loaded ${stray.digest}, which is no file of this model`);
  } else if (loads.length > 0) {
    checklist.good(
      name.files,
      model.manifest,
      `in ${loads.length} loads devices measured the signed files and no others`,
    );
  }
  const permits = new Set(loads.map(({ permit }) => permit));
  for (const permit of permits) {
    if (permit === null) {
      checklist.missing(name.permit, model.manifest, "a load names no permit");
      continue;
    }
    const member = materials.find(memberTypes.blob, permit);
    if (member === undefined) {
      checklist.missing(name.permit, model.manifest, `the bundle does not hold the verdict ${permit}`);
      continue;
    }
    materials.use(member);
    checklist.attempt(
      name.permit,
      model.manifest,
      () => readPermit(member.bytes, model.manifest),
      (inputs) => `the device allowed the load on the ground of ${inputs} statements`,
    );
  }
}

function readPermit(bytes: Uint8Array, manifest: Digest): number {
  const verdict: unknown = JSON.parse(fromUtf8(bytes));
  if (typeof verdict !== "object" || verdict === null) throw broken("the verdict is not an object");
  const { allow, subject, inputs } = verdict as { allow?: unknown; subject?: unknown; inputs?: unknown };
  if (allow !== true || subject !== manifest || !Array.isArray(inputs))
    throw broken("the verdict does not allow this model");
  return inputs.length;
}

function verifyApproval(
  model: Model,
  makers: readonly TrustedIdentity[],
  about: readonly ProvenStatement[],
  context: Context,
): { by: readonly string[]; index: number } | undefined {
  const { checklist } = context;
  const made = new Set(makers.flatMap(({ keyId, name: person }) => [keyId, person]));
  const decisions = about
    .filter(({ envelope }) => envelope.statement.predicateType === approvalType)
    .map((from) => ({
      from,
      approval: parseApproval(from.envelope.statement),
      by: signersOf(from, { action: "approve", repository: model.repository }, context).filter(
        ({ keyId, name: person }) => !made.has(keyId) && !made.has(person),
      ),
    }))
    .filter(({ by }) => by.length > 0)
    .sort((a, b) => a.from.index - b.from.index);
  const last = decisions.at(-1);
  if (last === undefined) {
    checklist.missing(
      name.approval,
      model.manifest,
      "nobody who may, and who did not make it, has approved it in this bundle",
    );
    return undefined;
  }
  if (last.approval.decision === "rejected") {
    checklist.bad(name.approval, model.manifest, `rejected by ${names(last.by)}`);
    return undefined;
  }
  checklist.good(name.approval, model.manifest, `by ${names(last.by)}, who did not make it`);
  const first = decisions.find(({ approval }) => approval.decision === "approved");
  return {
    by: unique(decisions.flatMap(({ by }) => by.map((identity) => identity.name))),
    index: first?.from.index ?? last.from.index,
  };
}

function verifyRelease(
  model: Model,
  approvedAt: number | undefined,
  about: readonly ProvenStatement[],
  context: Context,
): ModelAnswer["releases"] {
  const { checklist } = context;
  const releases: { channel: string; sequence: number; by: readonly string[] }[] = [];
  for (const from of about) {
    if (from.envelope.statement.predicateType !== releaseType) continue;
    const release = parseRelease(from.envelope.statement);
    const by = signersOf(from, { action: "release", repository: model.repository }, context);
    if (by.length === 0) continue;
    if (approvedAt !== undefined && from.index < approvedAt) {
      checklist.bad(
        name.release,
        model.manifest,
        `${release.channel} number ${release.sequence} was released before it was approved`,
      );
      continue;
    }
    checklist.good(name.release, model.manifest, `${release.channel} number ${release.sequence}, by ${names(by)}`);
    releases.push({
      channel: release.channel,
      sequence: release.sequence,
      by: unique(by.map((identity) => identity.name)),
    });
  }
  if (releases.length === 0)
    checklist.missing(name.release, model.manifest, "the bundle proves no release of it by someone who may");
  return releases;
}

function nothingProven(manifest: Digest): Proven {
  return {
    manifest,
    repository: null,
    files: [],
    signedBy: [],
    approvedBy: [],
    releases: [],
    origin: { trainedBy: [], data: [], parents: [] },
  };
}

function names(identities: readonly TrustedIdentity[]): string {
  return unique(identities.map(({ name: own }) => own)).join(", ");
}

function unique(list: readonly string[]): readonly string[] {
  return [...new Set(list)];
}

function broken(what: string): EvidenceError {
  return new EvidenceError("statement-invalid", what);
}
