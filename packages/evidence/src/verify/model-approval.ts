import type { Digest } from "../digest.ts";
import {
  approvalType,
  type Model,
  modelType,
  parseApproval,
  parseModel,
  parseTraining,
  trainingType,
} from "../statements/index.ts";
import type { Context } from "./context.ts";
import type { ProvenStatement, Statements } from "./proven-statements.ts";

const name = "approval";

interface Decision {
  readonly index: number;
  readonly decision: "approved" | "rejected";
}

/**
 * Someone who may, and who did not make the model, has approved it, and nobody's rejection stands: only who rejected it
 * can take that back, by approving it later. The rules are those of `packages/policy`.
 *
 * @returns who approved it, and where in the plane's log it was first approved.
 */
export function verifyApproval(
  model: Model,
  statements: Statements,
  { checklist }: Context,
): { readonly by: readonly string[]; readonly index: number } | undefined {
  const { manifest } = model;
  const makers = makersOf(model, statements);
  const words = wordsOf(model, statements);
  const rejecting = [...words].filter(([, said]) => said.at(-1)?.decision === "rejected").map(([person]) => person);
  const others = [...words].filter(([person, said]) => !makers.has(person) && said.at(-1)?.decision === "approved");
  if (rejecting.length > 0) {
    checklist.bad(name, manifest, `rejected by ${rejecting.join(", ")}`);
    return undefined;
  }
  if (others.length === 0) {
    checklist.missing(name, manifest, "nobody who may, and who did not make it, has approved it in this bundle");
    return undefined;
  }
  const by = others.map(([person]) => person);
  checklist.good(name, manifest, `by ${by.join(", ")}, who did not make it`);
  const approvals = others.flatMap(([, said]) => said.filter(({ decision }) => decision === "approved"));
  return { by, index: Math.min(...approvals.map(({ index }) => index)) };
}

/** What each person who may decide has said, oldest first. Two keys of one name are one person. */
function wordsOf(model: Model, statements: Statements): ReadonlyMap<string, readonly Decision[]> {
  const words = new Map<string, Decision[]>();
  for (const { from, said } of statements.said(statements.about(model.manifest), approvalType, parseApproval)) {
    const by = statements.signers(from, { action: "approve", repository: model.repository });
    for (const person of new Set(by.map((identity) => identity.name))) {
      const decision = { index: from.index, decision: said.decision };
      words.set(person, [...(words.get(person) ?? []), decision]);
    }
  }
  return words;
}

/** Everyone of the trust file who signed the model, its signature or its training, by name, whatever they may do. */
function makersOf(model: Model, statements: Statements): ReadonlySet<string> {
  const models = statements.said(statements.about(model.manifest), modelType, parseModel);
  const outputs: readonly Digest[] = [model.manifest, ...models.flatMap(({ said }) => said.files.map((f) => f.digest))];
  const made: (ProvenStatement | undefined)[] = [
    ...models.map(({ from }) => from),
    ...models.map(({ said }) => statements.find(said.signature)),
    ...statements.said(statements.about(outputs), trainingType, parseTraining).map(({ from }) => from),
  ];
  return new Set(
    made.flatMap((from) => (from === undefined ? [] : statements.knownSigners(from).map((identity) => identity.name))),
  );
}
