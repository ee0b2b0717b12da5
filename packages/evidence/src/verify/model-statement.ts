import type { Digest } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import {
  type Model,
  type ModelSignature,
  modelSignatureType,
  modelType,
  parseModel,
  parseModelSignature,
} from "../statements/index.ts";
import type { TrustedIdentity } from "../trust/index.ts";
import type { Context } from "./context.ts";
import type { Said, Statements } from "./proven-statements.ts";

/** A model statement of someone who may sign models of that repository. */
export interface ProvenModel extends Said<Model> {
  readonly by: readonly TrustedIdentity[];
}

const name = { model: "model statement", signature: "model signature" };

/**
 * What the manifest is, in each repository that its loads were allowed from; where nothing loaded it, in the first that a
 * statement names. The first statement of a repository counts: a later one cannot take its place.
 */
export function provenModels(
  manifest: Digest,
  repositories: ReadonlySet<string>,
  statements: Statements,
  { checklist }: Context,
): readonly ProvenModel[] {
  const known = new Map<string, ProvenModel>();
  for (const { from, said } of statements.said(statements.about(manifest), modelType, parseModel)) {
    const by = statements.signers(from, { action: "sign-model", repository: said.repository });
    if (by.length > 0 && said.manifest === manifest && !known.has(said.repository)) {
      known.set(said.repository, { from, said, by });
    }
  }
  const wanted = repositories.size > 0 ? [...repositories].sort() : [...known.keys()].slice(0, 1);
  if (wanted.length === 0) {
    checklist.missing(name.model, manifest, "no statement of someone who may sign models says what it is made of");
  }
  return wanted.flatMap((repository) => {
    const model = known.get(repository);
    if (model === undefined) {
      const what = `no statement of someone who may sign models of ${repository} says what it is made of`;
      checklist.missing(name.model, manifest, what);
      return [];
    }
    checklist.good(name.model, manifest, `${repository}, ${model.said.files.length} files, by ${namesOf(model.by)}`);
    return [model];
  });
}

/** Checks the model signature that the statement names: by someone who may, over these files and no others. */
export function verifySignature(
  { said: model }: ProvenModel,
  statements: Statements,
  { checklist }: Context,
): readonly TrustedIdentity[] {
  const found = statements.find(model.signature);
  if (found === undefined) {
    const what = "the bundle does not hold the model signature that the model statement names";
    checklist.missing(name.signature, model.manifest, what);
    return [];
  }
  const signers = checklist.attempt(
    name.signature,
    model.manifest,
    () => {
      if (found.envelope.statement.predicateType !== modelSignatureType)
        throw broken("it is no OpenSSF model signature");
      const by = statements.signers(found, { action: "sign-model", repository: model.repository });
      if (by.length === 0) throw broken("nobody whom the trust file lets sign models has signed it");
      requireSameFiles(model, parseModelSignature(found.envelope.statement));
      return by;
    },
    (by) => `covers all ${model.files.length} files, by ${namesOf(by)}`,
  );
  return signers ?? [];
}

/** As the policy of every gate has it: whole files, each under its own name, none beside them. */
function requireSameFiles(model: Model, signature: ModelSignature): void {
  if (signature.method !== "files") throw broken("it is over shards, which cannot be compared with files");
  const signed = new Map(signature.resources.map(({ path, digest }) => [path, digest]));
  for (const file of model.files) {
    const digest = signed.get(file.name);
    if (digest === undefined) throw broken(`it does not cover ${file.name}`);
    if (digest !== file.digest) throw broken(`${file.name} is ${file.digest}, but ${digest} was signed`);
    signed.delete(file.name);
  }
  const [missing] = signed.keys();
  if (missing !== undefined) throw broken(`${missing} was signed and is not among the model's files`);
}

export function namesOf(identities: readonly TrustedIdentity[]): string {
  return [...new Set(identities.map(({ name: own }) => own))].join(", ");
}

function broken(what: string): EvidenceError {
  return new EvidenceError("statement-invalid", what);
}
