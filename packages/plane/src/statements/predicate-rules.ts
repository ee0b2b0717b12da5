import {
  approvalType,
  erasureType,
  evaluationType,
  fleetDecisionType,
  ingestionType,
  keyRotationType,
  modelSignatureType,
  modelType,
  parseApproval,
  parseErasure,
  parseEvaluation,
  parseFleetDecision,
  parseIngestion,
  parseKeyRotation,
  parseModel,
  parseModelSignature,
  parseQuarantine,
  parseRelease,
  parseSelection,
  parseTraining,
  quarantineType,
  type Role,
  releaseType,
  type Statement,
  selectionType,
  splitChannel,
  type TrustedAction,
  trainingType,
} from "@tally/evidence";

/** What the plane asks of statements of one type before it takes them. */
export interface PredicateRule {
  /** What the signer must be trusted to do; null: nothing in particular. */
  readonly action: TrustedAction | null;
  /** Roles whose tokens may bring one, besides the administrator's. */
  readonly roles: readonly Role[];
  /** Reads it strictly. Throws what the type's parser throws. */
  readonly parse: (statement: Statement) => unknown;
  /** The repository that the statement itself names. */
  readonly repository?: (statement: Statement) => string;
  /** Where the statement is about a model's manifest, a model statement names the repository. */
  readonly aboutModel?: true;
}

const rules: ReadonlyMap<string, PredicateRule> = new Map<string, PredicateRule>([
  [ingestionType, { action: "ingest", roles: ["publisher"], parse: parseIngestion }],
  [trainingType, { action: "train", roles: ["publisher"], parse: parseTraining }],
  [modelSignatureType, { action: "sign-model", roles: ["publisher"], parse: parseModelSignature }],
  [
    modelType,
    {
      action: "sign-model",
      roles: ["publisher"],
      parse: parseModel,
      repository: (statement) => parseModel(statement).repository,
    },
  ],
  [evaluationType, { action: "evaluate", roles: ["publisher", "approver"], parse: parseEvaluation, aboutModel: true }],
  [approvalType, { action: "approve", roles: ["approver"], parse: parseApproval, aboutModel: true }],
  [
    releaseType,
    {
      action: "release",
      roles: ["publisher"],
      parse: parseRelease,
      repository: (statement) => splitChannel(parseRelease(statement).channel).repository,
    },
  ],
  // Signed by a device, which is no identity of the trust file: device-erasures.ts asks for its keys.
  [erasureType, { action: null, roles: ["device"], parse: parseErasure }],
  [fleetDecisionType, { action: "manage-fleet", roles: [], parse: parseFleetDecision }],
  // By whoever holds the old key, whatever it may sign: statements/rotations.ts asks for both keys.
  [keyRotationType, { action: null, roles: ["publisher", "approver", "scientist"], parse: parseKeyRotation }],
  // About a model it is for whoever may in the model's repository; about all else it counts where the signer may.
  [
    quarantineType,
    {
      action: "quarantine",
      roles: ["publisher", "approver", "scientist"],
      parse: parseQuarantine,
      aboutModel: true,
    },
  ],
  [selectionType, { action: "select", roles: ["publisher", "scientist"], parse: parseSelection }],
]);

/** Other people's predicates: kept and proven, decided by nothing. */
const otherTypes: PredicateRule = { action: null, roles: ["publisher"], parse: () => undefined };

export function ruleOf(predicateType: string): PredicateRule {
  return rules.get(predicateType) ?? otherTypes;
}

export function mayBring(role: Role, rule: PredicateRule): boolean {
  return role === "admin" || rule.roles.includes(role);
}
