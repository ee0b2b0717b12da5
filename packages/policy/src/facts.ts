import {
  type Approval,
  approvalType,
  type Model,
  type ModelSignature,
  modelSignatureType,
  modelType,
  parseApproval,
  parseModel,
  parseModelSignature,
  parseQuarantine,
  parseRelease,
  parseTraining,
  type QuarantineWord,
  quarantineType,
  type Release,
  releaseType,
  type Statement,
  signedWhen,
  subjectDigests,
  type TrustedAction,
  type TrustedIdentity,
  trainingType,
  whyNot,
} from "@tally/evidence";
import type { PolicyRequest, SignedStatement } from "./request.ts";

/** A statement together with what it says. */
export interface Fact<Said> {
  readonly from: SignedStatement;
  readonly said: Said;
}

/** What the request's statements say of the model. Statements that nobody of the trust file has signed are not among them. */
export interface Facts {
  readonly request: PolicyRequest;
  readonly models: readonly Fact<Model>[];
  readonly signatures: readonly Fact<ModelSignature>[];
  readonly trainings: readonly Fact<Statement>[];
  readonly approvals: readonly Fact<Approval>[];
  readonly releases: readonly Fact<Release>[];
  readonly quarantines: readonly Fact<QuarantineWord>[];
  /** Statements of known signers, of types that matter here, that break their type's rules. */
  readonly unreadable: readonly { readonly from: SignedStatement; readonly why: string }[];
}

/** Sorts the statements by what they are. Each is read once, here. */
export function gatherFacts(request: PolicyRequest): Facts {
  const unreadable: { from: SignedStatement; why: string }[] = [];
  const signed = request.statements.filter((statement) => everySignerOf(statement).length > 0);
  const about = signed.filter((statement) => subjectDigests(statement.statement).includes(request.manifest));
  function read<Said>(
    statements: readonly SignedStatement[],
    type: string,
    parse: (statement: Statement) => Said,
  ): readonly Fact<Said>[] {
    return statements.flatMap((from) => {
      if (from.predicateType !== type) return [];
      try {
        return [{ from, said: parse(from.statement) }];
      } catch (error) {
        // Whoever has a key that counts no more blocks nothing with it.
        if (from.signers.length > 0)
          unreadable.push({ from, why: error instanceof Error ? error.message : String(error) });
        return [];
      }
    });
  }
  const models = read(about, modelType, parseModel);
  // A model signature names the files, not the manifest; the model statement says which envelope is meant.
  const meant = new Set(models.map(({ said }) => said.signature));
  const outputs = new Set([request.manifest, ...models.flatMap(({ said }) => said.files.map((file) => file.digest))]);
  return {
    request,
    models,
    signatures: read(
      signed.filter((statement) => meant.has(statement.envelope)),
      modelSignatureType,
      parseModelSignature,
    ),
    trainings: read(
      signed.filter((statement) => subjectDigests(statement.statement).some((subject) => outputs.has(subject))),
      trainingType,
      (statement) => {
        parseTraining(statement);
        return statement;
      },
    ),
    approvals: read(about, approvalType, parseApproval),
    releases: read(about, releaseType, parseRelease),
    quarantines: read(about, quarantineType, parseQuarantine),
    unreadable,
  };
}

/** Those of a statement's signers who may do this in the request's repository, at that time. */
export function signersWhoMay(action: TrustedAction, from: SignedStatement, facts: Facts): readonly TrustedIdentity[] {
  const { repository } = facts.request;
  const { atMs, notBeforeMs } = from;
  const time = { ...(atMs !== undefined && { atMs }), ...(notBeforeMs !== undefined && { notBeforeMs }) };
  return from.signers.filter((signer) => {
    return whyNot(signer, { action, repository, ...signedWhen(signer, time) }) === undefined;
  });
}

/** Everyone who had a hand in making the model: signers of the model, of its signature and of its training, by name. */
export function makersOf({ models, signatures, trainings }: Facts): ReadonlySet<string> {
  return new Set(
    [...models, ...signatures, ...trainings].flatMap(({ from }) => everySignerOf(from).map(({ name }) => name)),
  );
}

/** Who has signed it, also with a key that counts no more. */
export function everySignerOf({ signers, everySigner = signers }: SignedStatement): readonly TrustedIdentity[] {
  return everySigner;
}

/** "publisher and reviewer", each name once. */
export function namesOf(identities: readonly { readonly name: string }[]): string {
  return [...new Set(identities.map((identity) => identity.name))].join(" and ");
}
