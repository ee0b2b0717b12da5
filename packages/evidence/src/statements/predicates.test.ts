import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { generatePrivateKeyPem, publicKeyOfPem } from "#crypto";
import { utf8 } from "../bytes.ts";
import type { JsonObject } from "../content/i-json.ts";
import { asLeafHash, digestOf, sha256 } from "../digest.ts";
import {
  type Approval,
  approvalStatement,
  type Erasure,
  type Evaluation,
  erasureStatement,
  evaluationStatement,
  type FleetDecision,
  fleetDecisionStatement,
  type Ingestion,
  type Inventory,
  ingestionStatement,
  inventoryStatement,
  type KeyRotation,
  keyRotationStatement,
  type Model,
  modelStatement,
  parseApproval,
  parseErasure,
  parseEvaluation,
  parseFleetDecision,
  parseIngestion,
  parseInventory,
  parseKeyRotation,
  parseModel,
  parseRelease,
  parseSelection,
  parseTraining,
  publicIdentity,
  type Release,
  releaseStatement,
  type Selection,
  type Statement,
  selectionStatement,
  splitChannel,
  subjectDigests,
  type Training,
  trainingBuildType,
  trainingStatement,
} from "./index.ts";

const d = (name: string) => digestOf(utf8(name));
const file = { name: "data/wdbc.csv", digest: d("wdbc"), size: 124103 };

const ingestion: Ingestion = {
  source: "https://archive.ics.uci.edu/dataset/17",
  license: "CC-BY-4.0",
  citation: "Wolberg et al. (1993)",
  rows: 569,
  files: [file],
  splits: [
    { name: "train", rows: 400, digest: d("train") },
    { name: "held-out", rows: 169 },
  ],
};
const model: Model = {
  manifest: d("manifest"),
  repository: "breast-cancer",
  files: [{ name: "model.onnx", digest: d("onnx"), size: 4096 }],
  signature: d("signature"),
  base: d("base"),
};
const decommission: FleetDecision = {
  decision: "decommission",
  subject: d("genesis"),
  origin: "tally.example/plane/d/00/0",
  reason: "worn out",
};
const approval: Approval = { manifest: d("manifest"), decision: "approved", evaluated: [d("evaluation")], note: "ok" };
const release: Release = {
  manifest: d("manifest"),
  purl: "pkg:oci/breast-cancer",
  releaseId: "1",
  channel: "breast-cancer:stable",
  sequence: 1,
};
const selection: Selection = {
  model: d("manifest"),
  segments: [{ manifest: d("segment"), origin: "plane/d/00/0", from: 0, to: 100, rows: 97 }],
  filters: { labelled: true },
};
const erasure: Erasure = {
  origin: "plane/d/00/0",
  records: [3, 7].map((index) => ({ index, leaf: asLeafHash(sha256(utf8(`${index}`))) })),
  keystore: "file",
  segments: [
    { manifest: d("segment"), layers: [d("layer")], replacement: d("replacement") },
    { manifest: d("emptied"), layers: [d("layer of it")] },
  ],
};
const training: Training = {
  buildType: trainingBuildType,
  parameters: { seed: 7, epochs: 200 },
  internalParameters: { threads: 1 },
  dependencies: [
    { name: "wdbc.csv", digest: d("wdbc"), role: "dataset" },
    { uri: "pkg:oci/breast-cancer", digest: d("base"), annotations: { role: "model", relation: "fine-tune" } },
    { uri: "git+https://example.com/train" },
  ],
  builder: "urn:tally:builder:local",
  invocation: "run-1",
  startedOn: "2026-01-01T00:00:00Z",
  finishedOn: "2026-01-01T00:01:00Z",
};
const evaluation: Evaluation = {
  subject: d("manifest"),
  result: "PASSED",
  configuration: [{ name: "held-out", digest: d("held-out") }],
  url: "https://example.com/report",
  passedTests: ["accuracy"],
  warnedTests: [],
  failedTests: [],
  metrics: { accuracy: 0.97 },
};

function changed(statement: Statement, change: JsonObject): Statement {
  return { ...statement, predicate: { ...statement.predicate, ...change } };
}
function refuses(parse: (statement: Statement) => unknown, statement: Statement, message: RegExp) {
  assert.throws(() => parse(statement), { code: "statement-invalid", message });
}

test("every predicate comes back from its statement, with and without its optional fields", () => {
  assert.deepEqual(parseIngestion(ingestionStatement(ingestion)), ingestion);
  const plain: Ingestion = { source: "a", license: "MIT", files: [file] };
  assert.deepEqual(parseIngestion(ingestionStatement(plain)), plain);
  assert.deepEqual(parseModel(modelStatement(model)), model);
  const { base: _, ...first } = model;
  assert.deepEqual(parseModel(modelStatement(first)), first);
  assert.deepEqual(parseApproval(approvalStatement(approval)), approval);
  const rejected: Approval = { manifest: d("manifest"), decision: "rejected", evaluated: [] };
  assert.deepEqual(parseApproval(approvalStatement(rejected)), rejected);
  assert.deepEqual(parseRelease(releaseStatement(release)), release);
  assert.deepEqual(parseSelection(selectionStatement([file], selection)), selection);
  assert.deepEqual(parseEvaluation(evaluationStatement(evaluation)), evaluation);
  const bare: Evaluation = { subject: d("manifest"), result: "FAILED", configuration: [] };
  assert.deepEqual(parseEvaluation(evaluationStatement(bare)), bare);
});

test("a training names its data and parents with their roles", () => {
  const statement = trainingStatement([{ name: "model.onnx", digest: d("onnx") }], training);
  assert.deepEqual(subjectDigests(statement), [d("onnx")]);
  const parsed = parseTraining(statement);
  assert.deepEqual({ ...parsed, dependencies: [] }, { ...training, dependencies: [] });
  const roles = parsed.dependencies.map(({ digest, role, relation }) => [digest, role, relation]);
  assert.deepEqual(roles, [
    [d("wdbc"), "dataset", undefined],
    [d("base"), "model", "fine-tune"],
    [undefined, undefined, undefined],
  ]);
});

test("provenance of another producer is read as far as it goes", () => {
  const parsed = parseTraining({
    ...trainingStatement([file], training),
    predicate: {
      buildDefinition: {
        buildType: "https://example.com/build",
        externalParameters: {},
        resolvedDependencies: [{ uri: "git+https://example.com", digest: { gitCommit: "00" }, mediaType: "x" }],
      },
      runDetails: { builder: { id: "https://example.com", version: {} }, byproducts: [] },
    },
  });
  assert.deepEqual(parsed.dependencies, [{ uri: "git+https://example.com" }]);
  assert.equal(parsed.startedOn, undefined);
});

test("unknown fields are ignored", () => {
  assert.deepEqual(parseApproval(changed(approvalStatement(approval), { later: 1 })), approval);
  assert.deepEqual(parseRelease(changed(releaseStatement(release), { later: 1 })), release);
});

test("a statement of another type is refused by every parser", () => {
  refuses(
    parseRelease,
    approvalStatement(approval),
    /expected a statement of type .*release.*, found urn:tally:approval/,
  );
  refuses(parseApproval, releaseStatement(release), /expected a statement of type urn:tally:approval:v1/);
});

test("an approval or a release of two models at once is refused", () => {
  const [subject] = approvalStatement(approval).subject;
  assert.ok(subject);
  refuses(parseApproval, { ...approvalStatement(approval), subject: [subject, subject] }, /has one subject, not 2/);
  refuses(parseRelease, { ...releaseStatement(release), subject: [subject, subject] }, /has one subject, not 2/);
});

test("errors name the field", () => {
  refuses(
    parseApproval,
    changed(approvalStatement(approval), { decision: "maybe" }),
    /^predicate\.decision: expected one/,
  );
  refuses(parseApproval, changed(approvalStatement(approval), { evaluated: ["x"] }), /^predicate\.evaluated\[0\]: /);
  refuses(
    parseRelease,
    changed(releaseStatement(release), { sequence: -1 }),
    /^predicate\.sequence: expected an unsigned/,
  );
  refuses(
    parseRelease,
    changed(releaseStatement(release), { channel: "stable" }),
    /^predicate\.channel: .*repository:name/,
  );
  refuses(
    parseModel,
    changed(modelStatement(model), { files: [] }),
    /^predicate\.files: expected a list of at least one/,
  );
  const segments = [{ manifest: d("s"), origin: "o", from: 5, to: 5, rows: 0 }];
  refuses(parseSelection, changed(selectionStatement([file], selection), { segments }), /\.segments\[0\]\.to: /);
});

test("an ingestion whose subjects are not its files is refused", () => {
  const other = { ...file, digest: d("other") };
  const statement = changed(ingestionStatement(ingestion), { files: [{ ...other }] });
  refuses(parseIngestion, statement, /subjects are not the same as predicate\.files/);
});

test("a channel has a repository and a name", () => {
  assert.deepEqual(splitChannel("team/breast-cancer:stable"), { repository: "team/breast-cancer", name: "stable" });
  for (const bad of ["stable", ":stable", "a:", "A:b", "a:b:c", "a b:c"]) {
    assert.throws(() => splitChannel(bad), { code: "statement-invalid" }, bad);
  }
});

test("an erasure names each record once, in order, with a subject for each", () => {
  const statement = erasureStatement(erasure);
  assert.deepEqual(parseErasure(statement), erasure);
  for (const records of [[3], [7, 3], [3, 3], [3, 7, 8], []]) {
    assert.throws(() => parseErasure(changed(statement, { records })), { code: "statement-invalid" }, `${records}`);
  }
});

const rotation: KeyRotation = {
  oldKeyId: "0".repeat(64),
  newKey: publicIdentity(publicKeyOfPem(generatePrivateKeyPem("p-256")).spki),
  retiresAt: 1_767_225_600_000,
  reason: "a new card",
};

test("a rotation of a person's key is read as it was written, and no key takes its own place", () => {
  assert.deepEqual(parseKeyRotation(keyRotationStatement(rotation)), rotation);
  const own = keyRotationStatement({ ...rotation, oldKeyId: rotation.newKey.keyId });
  assert.throws(() => parseKeyRotation(own), { code: "statement-invalid", message: /cannot take its own place/ });
});

const inventory: Inventory = {
  manifests: [
    { name: "tiny/model/1", digest: d("model") },
    { name: "tiny/segment/1", digest: d("segment") },
  ],
  plane: "tally.example/plane",
  created: 1_767_225_600_000,
  asked: { models: ["tiny:v1"], segments: true },
  roots: [{ manifest: d("model"), repository: "tiny", tag: "v1" }],
  missing: [{ what: "base", of: d("model"), name: "base:v1", reason: "it is not there" }],
  checkpoint: "tally.example/plane/log\n",
  delivery: { series: "0".repeat(32), number: 2, previous: d("before") },
};

test("an inventory is read as it was written: what stands by itself is among its manifests, and only the first has none before it", () => {
  const statement = inventoryStatement(inventory);
  assert.deepEqual(parseInventory(statement), inventory);
  const refused = (parts: JsonObject) =>
    assert.throws(
      () => parseInventory(changed(statement, parts)),
      { code: "statement-invalid" },
      JSON.stringify(parts),
    );
  refused({ roots: [{ manifest: d("another"), repository: "tiny" }] });
  refused({ roots: [] });
  refused({ delivery: { series: "0".repeat(32), number: 2 } });
  refused({ delivery: { series: "0".repeat(32), number: 1, previous: d("before") } });
  refused({ delivery: { series: "0".repeat(32), number: 0 } });
  refused({ delivery: { series: "0", number: 1 } });
});

const ajv = new Ajv2020({ strict: true, allErrors: true });
const ours: [file: string, statement: Statement, parse: (statement: Statement) => unknown][] = [
  ["ingestion", ingestionStatement(ingestion), parseIngestion],
  ["model", modelStatement(model), parseModel],
  ["approval", approvalStatement(approval), parseApproval],
  ["selection", selectionStatement([file], selection), parseSelection],
  ["erasure", erasureStatement(erasure), parseErasure],
  ["fleet-decision", fleetDecisionStatement(decommission), parseFleetDecision],
  ["key-rotation", keyRotationStatement(rotation), parseKeyRotation],
  ["inventory", inventoryStatement(inventory), parseInventory],
];
for (const [name, statement, parse] of ours) {
  test(`the JSON Schema of ${name} accepts what is written and refuses what the parser refuses`, () => {
    const url = new URL(`../../../../docs/schemas/${name}.schema.json`, import.meta.url);
    const schema = JSON.parse(readFileSync(url, "utf8")) as { $id: string; required: string[] };
    const validate = ajv.compile(schema);
    assert.equal(schema.$id, statement.predicateType);
    assert.ok(validate(statement.predicate), JSON.stringify(validate.errors));
    for (const field of Object.keys(statement.predicate)) {
      for (const value of [7, "", [7], {}, null]) {
        const wrong = changed(statement, { [field]: value as never });
        const refused = !validate(wrong.predicate);
        const accepted = [field, JSON.stringify(value)].join(" = ");
        if (refused) assert.throws(() => parse(wrong), { code: "statement-invalid" }, accepted);
        else if (!["files", "records"].includes(field)) assert.ok(parse(wrong), accepted);
      }
      const { [field]: _, ...without } = statement.predicate;
      const required = schema.required.includes(field);
      assert.equal(validate(without), !required, field);
      if (required) assert.throws(() => parse({ ...statement, predicate: without }), { code: "statement-invalid" });
    }
  });
}
