import {
  approvalType,
  evaluationType,
  fleetDecisionType,
  ingestionType,
  inventoryType,
  modelSignatureType,
  modelType,
  quarantineType,
  releaseType,
  selectionType,
  type TrustedAction,
  trainingType,
} from "@tally/evidence";

const actions: ReadonlyMap<string, TrustedAction> = new Map([
  [ingestionType, "ingest"],
  [trainingType, "train"],
  [modelSignatureType, "sign-model"],
  [modelType, "sign-model"],
  [evaluationType, "evaluate"],
  [approvalType, "approve"],
  [releaseType, "release"],
  [selectionType, "select"],
  [inventoryType, "export"],
  [fleetDecisionType, "manage-fleet"],
  [quarantineType, "quarantine"],
]);

/**
 * What the signer of a statement must be trusted to do. Null for other people's predicates, which take no right, and for rotations,
 * which count by their two keys.
 */
export function actionOf(predicateType: string): TrustedAction | null {
  return actions.get(predicateType) ?? null;
}
