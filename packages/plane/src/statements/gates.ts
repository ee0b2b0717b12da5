import {
  approvalType,
  type Envelope,
  modelSignatureType,
  modelType,
  parseApproval,
  parseRelease,
  quarantineType,
  releaseType,
  splitChannel,
  type Trust,
  trainingType,
} from "@tally/evidence";
import type { Clock } from "@tally/ledger";
import type { BlobStore } from "@tally/oci";
import {
  decide,
  permitBytes,
  permitDigest,
  requireAllowed,
  type SignedStatement,
  statementBy,
  type Verdict,
} from "@tally/policy";
import { PlaneError } from "../error.ts";
import { type FoundStatement, type StatementSource, statementsOfModel } from "./model-statements.ts";
import { knownSigners } from "./signers.ts";

export interface GateOptions {
  readonly source: StatementSource;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  /** Everyone known, whatever became of their keys: who made a model made it. */
  readonly everyone: Trust;
  /** Whose keys count for a statement of that index in the plane's log. */
  readonly trustFor: (index: number) => Promise<Trust>;
  /** Milliseconds by which an entry of the plane's log existed; null where no checkpoint proves it yet. */
  readonly provenBy: (index: number) => Promise<number | null>;
}

const decisive = new Set([modelType, modelSignatureType, trainingType, approvalType, quarantineType, releaseType]);
/** An approval has to stand by itself: what others approved does not carry it. */
const decisiveForApproval = new Set([modelType, modelSignatureType, trainingType]);

/**
 * A release takes effect only if the policy allows it, by all statements known about the model and this one.
 * The verdict is kept as a blob, whatever it says.
 *
 * @throws PlaneError `policy-denied` with every rule that failed; its cause carries the verdict
 */
export async function passReleaseGate(offered: Envelope, trust: Trust, options: GateOptions): Promise<void> {
  const { manifest, channel } = parseRelease(offered.statement);
  const known = await statementsOfModel(options.source, manifest, decisive);
  const verdict = decide({
    gate: "release",
    manifest,
    repository: splitChannel(channel).repository,
    channel,
    // The release to be decided on stands alone: an earlier one to the same channel allows nothing.
    statements: await signedStatements(
      known.filter(({ row }) => row.predicateType !== releaseType),
      offered,
      trust,
      options,
    ),
    trust,
    at: options.clock.now(),
  });
  await keepAndRequire([verdict], options);
}

/**
 * Whoever made a model cannot approve it. A rejection passes always: anyone who may approve may reject.
 *
 * @throws PlaneError `policy-denied`
 */
export async function passApprovalGate(
  offered: Envelope,
  repositories: readonly string[],
  trust: Trust,
  options: GateOptions,
): Promise<void> {
  const { manifest, decision } = parseApproval(offered.statement);
  if (decision === "rejected") return;
  if (repositories.length === 0) {
    throw new PlaneError("policy-denied", `no statement says that ${manifest} is a model, so it cannot be approved`, {
      hint: "add the model statement first",
    });
  }
  const known = await statementsOfModel(options.source, manifest, decisiveForApproval);
  const statements = await signedStatements(known, offered, trust, options);
  const at = options.clock.now();
  const verdicts = repositories.map((repository) =>
    decide({ gate: "approve", manifest, repository, statements, trust, at }),
  );
  await keepAndRequire(verdicts, options);
}

/** Each with the signers whose keys count for it. */
async function signedStatements(
  known: readonly FoundStatement[],
  offered: Envelope,
  trust: Trust,
  { trustFor, provenBy, clock, everyone }: GateOptions,
): Promise<readonly SignedStatement[]> {
  const now = clock.now();
  const statement = async (envelope: Envelope, counting: Trust, atMs: number) =>
    statementBy(envelope, {
      signers: await knownSigners(envelope, counting),
      everySigner: await knownSigners(envelope, everyone),
      time: { atMs },
    });
  const earlier = known.map(async ({ row, envelope }) =>
    statement(envelope, await trustFor(row.index), (await provenBy(row.index)) ?? now),
  );
  return [...(await Promise.all(earlier)), await statement(offered, trust, now)];
}

/** Keeps the verdicts; one that allows is enough. */
async function keepAndRequire(verdicts: readonly Verdict[], { blobs }: GateOptions): Promise<void> {
  for (const verdict of verdicts) await blobs.put(permitDigest(verdict), permitBytes(verdict));
  const verdict = verdicts.find(({ allow }) => allow) ?? verdicts[0]!;
  try {
    requireAllowed(verdict);
  } catch (cause) {
    throw new PlaneError("policy-denied", (cause as Error).message, {
      cause,
      hint: `the whole verdict is kept as blob ${permitDigest(verdict)}`,
    });
  }
}
