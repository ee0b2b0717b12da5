import type { JsonObject } from "../content/i-json.ts";
import { given, type JsonField } from "../content/json-field.ts";
import { type ResourceDescriptor, readResourceDescriptor, writeResourceDescriptor } from "./resource-descriptor.ts";
import { makeStatement, type NamedDigest, predicateOf, type Statement } from "./statement.ts";

/** SLSA build provenance v1: training and transformation are builds. */
export const trainingType = "https://slsa.dev/provenance/v1";

export const trainingBuildType = "urn:tally:build:training:v1";
export const transformationBuildType = "urn:tally:build:transformation:v1";

/** What an input was to the build. */
export const dependencyRoles = ["dataset", "segment", "model", "code", "environment"] as const;
export type DependencyRole = (typeof dependencyRoles)[number];

/** A build that made the subjects from its dependencies. */
export interface Training {
  readonly buildType: string;
  /** What whoever started it chose: hyperparameters, seeds, the command. */
  readonly parameters: JsonObject;
  /** What the builder chose. */
  readonly internalParameters?: JsonObject;
  /** Data, segments and parent models, all of them. */
  readonly dependencies: readonly TrainingDependency[];
  /** A URI for what ran the build. */
  readonly builder: string;
  readonly invocation?: string;
  /** RFC 3339. */
  readonly startedOn?: string;
  /** RFC 3339. */
  readonly finishedOn?: string;
}

export interface TrainingDependency extends ResourceDescriptor {
  /** Annotation `role`; absent in other producers' statements. */
  readonly role?: DependencyRole;
  /** Annotation `relation`, of a parent model: `fine-tune`, `merge`, `quantization`, `distillation`, `adapter`. */
  readonly relation?: string;
}

export function trainingStatement(subjects: readonly NamedDigest[], training: Training): Statement {
  const metadata = {
    ...given("invocationId", training.invocation),
    ...given("startedOn", training.startedOn),
    ...given("finishedOn", training.finishedOn),
  };
  return makeStatement(subjects, trainingType, {
    buildDefinition: {
      buildType: training.buildType,
      externalParameters: training.parameters,
      ...given("internalParameters", training.internalParameters),
      resolvedDependencies: training.dependencies.map(writeDependency),
    },
    runDetails: { builder: { id: training.builder }, metadata },
  });
}

/** Reads any SLSA v1 provenance. @throws EvidenceError `statement-invalid` naming the field */
export function parseTraining(statement: Statement): Training {
  const predicate = predicateOf(statement, trainingType);
  const definition = predicate.at("buildDefinition");
  const run = predicate.at("runDetails");
  const metadata = run.at("metadata");
  return Object.freeze({
    buildType: definition.at("buildType").text(),
    parameters: definition.at("externalParameters").object(),
    ...definition.maybe("internalParameters", (f) => f.object()),
    dependencies: definition.at("resolvedDependencies").optional((f) => f.list(readDependency)) ?? [],
    builder: run.at("builder").at("id").text(),
    ...given(
      "invocation",
      metadata.optional((f) => f.at("invocationId").optional((id) => id.text())),
    ),
    ...metadata.optional((f) => f.maybe("startedOn", (time) => time.text())),
    ...metadata.optional((f) => f.maybe("finishedOn", (time) => time.text())),
  });
}

function writeDependency(dependency: TrainingDependency): JsonObject {
  const { role, relation, ...descriptor } = dependency;
  const annotations = { ...descriptor.annotations, ...given("role", role), ...given("relation", relation) };
  const isEmpty = Object.keys(annotations).length === 0;
  return writeResourceDescriptor(isEmpty ? descriptor : { ...descriptor, annotations: annotations as JsonObject });
}

function readDependency(field: JsonField): TrainingDependency {
  const descriptor = readResourceDescriptor(field);
  const { role, relation } = descriptor.annotations ?? {};
  return Object.freeze({
    ...descriptor,
    ...given("role", isRole(role) ? role : undefined),
    ...given("relation", typeof relation === "string" ? relation : undefined),
  });
}

function isRole(value: unknown): value is DependencyRole {
  return dependencyRoles.some((role) => role === value);
}
