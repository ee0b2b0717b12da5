import type { Question } from "../bundle/index.ts";
import type { Digest } from "../digest.ts";
import type { Load } from "../entries/index.ts";
import type { Model } from "../statements/index.ts";
import type { Context } from "./context.ts";
import { verifyApproval } from "./model-approval.ts";
import { readPermits, verifyLoadedFiles, verifyPermits } from "./model-loads.ts";
import { type Origin, verifyOrigin } from "./model-origin.ts";
import { type ReleaseAnswer, verifyReleases } from "./model-release.ts";
import { type ProvenModel, provenModels, verifySignature } from "./model-statement.ts";
import type { Statements } from "./proven-statements.ts";
import type { RecordCount } from "./records.ts";

/** What is proven of one model: who made, approved and released it, and from what. */
export interface ModelAnswer {
  readonly manifest: Digest;
  readonly repository: string | null;
  readonly files: Model["files"];
  readonly signedBy: readonly string[];
  readonly approvedBy: readonly string[];
  readonly releases: readonly ReleaseAnswer[];
  readonly origin: Origin;
  readonly inside: number;
  readonly possiblyInside: number;
  readonly devices: number;
}

/** What one ledger has of the answer's records. */
export interface MadeRecords {
  readonly counts: readonly RecordCount[];
}

type Proven = Omit<ModelAnswer, "inside" | "possiblyInside" | "devices">;

/** Checks the statements behind every model that the answer names, or that the question asks for. */
export function verifyModels(
  made: readonly MadeRecords[],
  accepted: readonly Load[],
  question: Question,
  statements: Statements,
  context: Context,
): readonly ModelAnswer[] {
  const loads = Map.groupBy(accepted, ({ manifest }) => manifest);
  const asked = question.kind === "records" ? question.model : null;
  const wanted = asked === null ? [...loads.keys()].filter((manifest) => manifest !== null) : [asked];
  return wanted.sort().map((manifest) => ({
    ...verifyModel(manifest, loads.get(manifest) ?? [], statements, context),
    ...countRecords(manifest, made),
  }));
}

function countRecords(
  manifest: Digest,
  made: readonly MadeRecords[],
): Pick<ModelAnswer, "inside" | "possiblyInside" | "devices"> {
  const count = { inside: 0, "possibly inside": 0, "key revoked": 0 };
  let devices = 0;
  for (const { counts } of made) {
    const own = counts.filter(({ model }) => model === manifest);
    for (const counted of own) count[counted.standing] += counted.count;
    if (own.length > 0) devices += 1;
  }
  return { inside: count.inside, possiblyInside: count["possibly inside"], devices };
}

/** One model, in each repository that its loads were allowed from. */
function verifyModel(manifest: Digest, loads: readonly Load[], statements: Statements, context: Context): Proven {
  const permits = readPermits(manifest, loads, context);
  const repositories = new Set(permits.map(({ repository }) => repository));
  const models = provenModels(manifest, repositories, statements, context);
  verifyPermits(manifest, permits, statements, context);
  const parts = models.map((model) => verifyInRepository(model, loads, statements, context));
  const [first] = parts;
  if (first === undefined) return nothingProven(manifest);
  return {
    ...first,
    signedBy: unique(parts.flatMap(({ signedBy }) => signedBy)),
    approvedBy: unique(parts.flatMap(({ approvedBy }) => approvedBy)),
    releases: parts.flatMap(({ releases }) => releases),
  };
}

function verifyInRepository(
  model: ProvenModel,
  loads: readonly Load[],
  statements: Statements,
  context: Context,
): Proven {
  const { manifest, repository, files } = model.said;
  const signers = verifySignature(model, statements, context);
  verifyLoadedFiles(model.said, loads, context);
  const approval = verifyApproval(model.said, statements, context);
  const releases = verifyReleases(model.said, approval?.index, statements, context);
  return {
    manifest,
    repository,
    files,
    signedBy: unique(signers.map(({ name }) => name)),
    approvedBy: approval?.by ?? [],
    releases,
    origin: verifyOrigin(model.said, statements, context),
  };
}

function nothingProven(manifest: Digest): Proven {
  const origin = { trainedBy: [], data: [], parents: [] };
  return { manifest, repository: null, files: [], signedBy: [], approvedBy: [], releases: [], origin };
}

function unique(list: readonly string[]): readonly string[] {
  return [...new Set(list)];
}
