import {
  approvalType,
  type Digest,
  evaluationType,
  ingestionType,
  modelSignatureType,
  modelType,
  releaseType,
  selectionType,
  trainingType,
} from "@tally/evidence";
import { type Carried, copyArtifact, OciError } from "@tally/oci";
import { repositoryOf } from "../artifact.ts";
import type { PlaneClient } from "../plane-client.ts";
import { postEnvelope } from "../post-statement.ts";
import { CliError, exitCodes } from "../terminal/index.ts";
import type { CarriedStatement } from "./evidence.ts";
import type { CarriedModel } from "./verify-model.ts";

export interface TakenStatement {
  readonly digest: Digest;
  readonly predicateType: string;
  readonly result: "taken" | "refused" | "superseded";
  /** Its place in this plane's log, or why it has none. */
  readonly index?: number;
  readonly reason?: string;
}

export interface TakenModel {
  readonly manifest: Digest;
  readonly repository: string;
  /** The tag that leads to it here now; null where there is none, or it leads elsewhere. */
  readonly tag: string | null;
  /** Blobs that were not here yet. */
  readonly sent: number;
  readonly statements: readonly TakenStatement[];
}

/**
 * Takes a verified model into a plane: its bytes and all that refers to it, and the statements of people about it, in the
 * order in which they were made. The plane decides on each as if its signer had brought it.
 */
export async function takeIn(client: PlaneClient, carried: Carried, model: CarriedModel): Promise<TakenModel> {
  const { manifest, repository } = model;
  if (repository === null) throw new CliError(exitCodes.notProven, `nothing says of which repository ${manifest} is`);
  const target = repositoryOf(client, repository);
  const tag = await tagToSet(target, model);
  const { sent } = await copyArtifact(carried, target, manifest, {
    referrers: "all",
    mostManifests: 1_000_000,
    ...(tag === "set" && { tag: model.tag! }),
  });
  const statements: TakenStatement[] = [];
  const seen = new Set<Digest>();
  for (const statement of model.evidence.flatMap((each) => each.statements)) {
    if (seen.has(statement.digest) || !ofPeople.has(statement.predicateType)) continue;
    seen.add(statement.digest);
    statements.push(await take(client, statement));
  }
  return { manifest, repository, tag: tag === "elsewhere" ? null : model.tag, sent, statements };
}

/** What people say of models and data. What is said of devices is for the plane that knows them. */
const ofPeople: ReadonlySet<string> = new Set([
  ingestionType,
  trainingType,
  modelSignatureType,
  modelType,
  evaluationType,
  approvalType,
  releaseType,
  selectionType,
]);

/** A tag that came with the layout is the carrier's word: it never moves one that is here. */
async function tagToSet(
  target: ReturnType<typeof repositoryOf>,
  { tag, manifest }: CarriedModel,
): Promise<"set" | "there" | "elsewhere" | undefined> {
  if (tag === null) return undefined;
  try {
    return (await target.resolve(tag)).digest === manifest ? "there" : "elsewhere";
  } catch (error) {
    if (error instanceof OciError && error.code === "not-found") return "set";
    throw error;
  }
}

async function take(client: PlaneClient, { digest, predicateType, bytes }: CarriedStatement): Promise<TakenStatement> {
  try {
    const { index } = await postEnvelope(client, bytes);
    return { digest, predicateType, result: "taken", index };
  } catch (error) {
    if (!(error instanceof CliError) || error.exitCode === exitCodes.unreachable) throw error;
    // A release that a later one has taken the place of; going back is never a matter of carrying.
    const result = error.code === "conflict" ? "superseded" : "refused";
    return { digest, predicateType, result, reason: error.message };
  }
}
