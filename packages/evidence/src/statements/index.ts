export { type Approval, approvalStatement, approvalType, parseApproval } from "./approval.ts";
export { deviceIdentities, requireDeviceSignature } from "./device-signature.ts";
export {
  type Envelope,
  type EnvelopeSignature,
  parseEnvelope,
  payloadType,
  verificationMaterialKind,
} from "./envelope.ts";
export {
  type ErasedRecord,
  type ErasedSegment,
  type Erasure,
  erasureStatement,
  erasureType,
  maxErasedRecords,
  parseErasure,
} from "./erasure.ts";
export { type Evaluation, evaluationStatement, evaluationType, parseEvaluation } from "./evaluation.ts";
export {
  type FleetDecision,
  type FleetDecisionKind,
  fleetDecisionStatement,
  fleetDecisions,
  fleetDecisionType,
  parseFleetDecision,
} from "./fleet-decision.ts";
export { type Ingestion, ingestionStatement, ingestionType, parseIngestion, type Split } from "./ingestion.ts";
export {
  type Delivery,
  type Inventory,
  type InventoryGap,
  type InventoryRoot,
  inventoryStatement,
  inventoryType,
  parseInventory,
} from "./inventory.ts";
export {
  type KeyRotation,
  keyRotationStatement,
  keyRotationType,
  parseKeyRotation,
} from "./key-rotation.ts";
export { type Model, modelStatement, modelType, parseModel } from "./model.ts";
export {
  type ModelResource,
  type ModelSignature,
  modelDigest,
  modelSignatureStatement,
  modelSignatureType,
  parseModelSignature,
  type SignatureDialect,
} from "./model-signature.ts";
export type { NamedFile } from "./named-file.ts";
export { pae } from "./pae.ts";
export {
  keyIdOf,
  type PublicIdentity,
  publicIdentity,
  publicIdentityFromPem,
  publicKeyPem,
  type SignatureAlgorithm,
  verifyWithIdentity,
} from "./public-identity.ts";
export {
  concernsDevice,
  coversRecord,
  describeQuarantined,
  deviceOfLedger,
  foldQuarantines,
  type LoggedWord,
  parseQuarantine,
  type QuarantinableRecord,
  type Quarantined,
  type QuarantinedKind,
  type QuarantineState,
  type QuarantineWord,
  quarantineStatement,
  quarantineType,
  touches,
} from "./quarantine.ts";
export { parseRelease, type Release, releaseStatement, releaseType, splitChannel } from "./release.ts";
export type { ResourceDescriptor } from "./resource-descriptor.ts";
export {
  mostSelectedSegments,
  parseSelection,
  type SelectedSegment,
  type Selection,
  selectionStatement,
  selectionStatements,
  selectionType,
} from "./selection.ts";
export { type Signer, type StatementSigner, signStatement, statementSignerFromPem } from "./sign.ts";
export {
  encodeStatement,
  makeStatement,
  type NamedDigest,
  parseStatement,
  type Statement,
  type StatementSubject,
  statementType,
  subjectDigests,
} from "./statement.ts";
export {
  type DependencyRole,
  dependencyRoles,
  parseTraining,
  type Training,
  type TrainingDependency,
  trainingBuildType,
  trainingStatement,
  trainingType,
  transformationBuildType,
} from "./training.ts";
export { type SignedPayload, verifyEnvelope } from "./verify.ts";
