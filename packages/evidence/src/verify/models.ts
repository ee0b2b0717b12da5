import type { Question } from "../bundle/index.ts";
import type { Digest } from "../digest.ts";
import type { Load } from "../entries/index.ts";
import type { Model } from "../statements/index.ts";
import type { Context } from "./context.ts";
import type { DeviceLedger } from "./device-ledger.ts";
import { verifyApproval } from "./model-approval.ts";
import { readPermits, verifyLoadedFiles, verifyPermits } from "./model-loads.ts";
import { type Origin, verifyOrigin } from "./model-origin.ts";
import { type ReleaseAnswer, verifyReleases } from "./model-release.ts";
import { type ProvenModel, provenModels, verifySignature } from "./model-statement.ts";
import type { Statements } from "./proven-statements.ts";
import type { RecordAnswer } from "./records.ts";

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

type Proven = Omit<ModelAnswer, "inside" | "possiblyInside" | "devices">;

/** Checks the statements behind every model that the answer names, or that the question asks for. */
export function verifyModels(
  records: readonly RecordAnswer[],
  ledgers: readonly DeviceLedger[],
  question: Question,
  statements: Statements,
  context: Context,
): readonly ModelAnswer[] {
  const loads = Map.groupBy(acceptedLoads(ledgers), ({ manifest }) => manifest);
  const made = Map.groupBy(records, ({ model }) => model);
  const asked = question.kind === "records" ? question.model : null;
  const wanted = asked === null ? [...loads.keys()].filter((manifest) => manifest !== null) : [asked];
  return wanted.sort().map((manifest) => {
    const own = made.get(manifest) ?? [];
    const count = (standing: string) => own.filter((record) => record.standing === standing).length;
    return {
      ...verifyModel(manifest, loads.get(manifest) ?? [], statements, context),
      inside: count("inside"),
      possiblyInside: count("possibly inside"),
      devices: new Set(own.map(({ origin }) => origin)).size,
    };
  });
}

function acceptedLoads(ledgers: readonly DeviceLedger[]): readonly Load[] {
  return ledgers.flatMap(({ entries }) =>
    [...entries.values()].flatMap(({ entry }) =>
      entry.kind === "load" && entry.outcome === "accepted" ? [entry] : [],
    ),
  );
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
