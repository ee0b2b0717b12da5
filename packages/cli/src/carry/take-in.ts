import {
  approvalType,
  type Digest,
  evaluationType,
  ingestionType,
  modelSignatureType,
  modelType,
  parseEnvelope,
  parseQuarantine,
  quarantineType,
  releaseType,
  selectionType,
  trainingType,
} from "@tally/evidence";
import { type Carried, copyArtifact, OciError, type RegistryClient } from "@tally/oci";
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
  /** The tags that came along and lead to it here now; those that lead elsewhere here are not among them. */
  readonly tags: readonly string[];
  readonly bases: readonly TakenBase[];
  /** Blobs that were not here yet. */
  readonly sent: number;
  readonly statements: readonly TakenStatement[];
}

/** What became of a base: a model finds it here only under the name that its Kitfile has. */
export interface TakenBase {
  readonly name: string;
  readonly manifest: Digest;
  readonly result: "taken" | "its tag leads elsewhere here" | "named with another registry's host";
}

/**
 * Takes a verified model into a plane: its bytes and all that refers to it, and the statements of people about it, in the
 * order in which they were made. The plane decides on each as if its signer had brought it.
 */
export async function takeIn(client: PlaneClient, carried: Carried, model: CarriedModel): Promise<TakenModel> {
  const { manifest, repository } = model;
  if (repository === null) throw new CliError(exitCodes.notProven, `nothing says of which repository ${manifest} is`);
  const target = repositoryOf(client, repository);
  const bases: TakenBase[] = [];
  let sent = 0;
  for (const base of model.bases) {
    const place = repositoryOf(client, base.repository);
    const copied = await copyUnder(carried, place, base.manifest, base.tag === null ? [] : [base.tag]);
    sent += copied.sent;
    const isFound = base.tag === null || copied.tags.length > 0;
    const isHere = base.host === null || base.host === new URL(client.url).host;
    const result = !isFound ? "its tag leads elsewhere here" : isHere ? "taken" : "named with another registry's host";
    bases.push({ name: base.name, manifest: base.manifest, result });
  }
  const copied = await copyUnder(carried, target, manifest, model.tags);
  sent += copied.sent;
  const statements: TakenStatement[] = [];
  const seen = new Set<Digest>();
  for (const statement of model.evidence.flatMap((each) => each.statements)) {
    if (seen.has(statement.digest) || !isOfPeople(statement, seen)) continue;
    seen.add(statement.digest);
    statements.push(await take(client, statement));
  }
  return { manifest, repository, tags: copied.tags, bases, sent, statements };
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

/** Quarantines of models and data are such words too, and what lifts them; those of devices and their segments are not. */
function isOfPeople({ predicateType, bytes }: CarriedStatement, taken: ReadonlySet<Digest>): boolean {
  if (predicateType !== quarantineType) return ofPeople.has(predicateType);
  const word = parseQuarantine(parseEnvelope(bytes).statement);
  if (word.decision === "lift") return taken.has(word.lifts);
  return word.what.kind === "model" || word.what.kind === "dataset";
}

/** A tag that came with the layout is the carrier's word: it never moves one that is here. @returns the tags that lead to it now */
async function copyUnder(carried: Carried, target: RegistryClient, manifest: Digest, tags: readonly string[]) {
  const own: string[] = [];
  const free: string[] = [];
  for (const tag of tags) {
    const there = await target.resolve(tag).catch((error: unknown) => {
      if (error instanceof OciError && error.code === "not-found") return undefined;
      throw error;
    });
    if (there === undefined) free.push(tag);
    if (there === undefined || there.digest === manifest) own.push(tag);
  }
  const all = { referrers: "all", mostManifests: 1_000_000 } as const;
  let sent = 0;
  for (const tag of free.length === 0 ? [undefined] : free) {
    sent += (await copyArtifact(carried, target, manifest, { ...all, ...(tag !== undefined && { tag }) })).sent;
  }
  return { sent, tags: own };
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
