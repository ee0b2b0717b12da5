import {
  approvalType,
  evaluationType,
  ingestionType,
  modelType,
  parseApproval,
  parseEvaluation,
  parseIngestion,
  parseModel,
  parseQuarantine,
  parseRelease,
  parseSelection,
  parseTraining,
  quarantineType,
  releaseType,
  type Statement,
  selectionType,
  trainingType,
} from "@tally/evidence";

/** The statements that people sign, by the short names of `--type`, each with what reads its predicate. */
export const statementTypes: Readonly<
  Record<string, { readonly uri: string; readonly parse: (statement: Statement) => unknown }>
> = {
  ingestion: { uri: ingestionType, parse: parseIngestion },
  training: { uri: trainingType, parse: parseTraining },
  model: { uri: modelType, parse: parseModel },
  evaluation: { uri: evaluationType, parse: parseEvaluation },
  approval: { uri: approvalType, parse: parseApproval },
  release: { uri: releaseType, parse: parseRelease },
  selection: { uri: selectionType, parse: parseSelection },
  quarantine: { uri: quarantineType, parse: parseQuarantine },
};

/** The short name of a predicate type, or its URI. */
export function nameOfType(predicateType: string): string {
  return Object.entries(statementTypes).find(([, { uri }]) => uri === predicateType)?.[0] ?? predicateType;
}
