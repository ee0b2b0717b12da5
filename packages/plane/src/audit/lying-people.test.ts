import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import {
  approvalStatement,
  digestOf,
  makeStatement,
  modelSignatureStatement,
  modelStatement,
  type Report,
  releaseStatement,
  trainingStatement,
  utf8,
} from "@tally/evidence";
import { AnswerWorld, type Person, type TestDevice, type TestModel } from "./answer-world.ts";
import { explain, failed, judge } from "./judgement.ts";

const hour = 3_600_000;

const failsFor = ({ manifest }: TestModel, check: string, { checks }: Report) =>
  checks.some(
    ({ name, about, result, required }) => name === check && about === manifest && result !== "good" && required,
  );

describe("people who lie about a model", () => {
  let world: AnswerWorld;
  let device: TestDevice;

  /** What is answered when a device has run the model. */
  const run = async (model: TestModel) => {
    await world.load(device, model);
    await world.infer(device);
    await world.sync(device);
    return judge(world);
  };
  const decide = (person: Person, { manifest }: TestModel, decision: "approved" | "rejected") =>
    world.state(person, approvalStatement({ manifest, decision, evaluated: [] }));
  const release = (person: Person, { manifest }: TestModel, channel: string) =>
    world.state(person, releaseStatement({ manifest, purl: "pkg:oci/x", releaseId: "1", channel, sequence: 2 }));

  beforeEach(async () => {
    world = await AnswerWorld.create();
    await world.seal();
    device = await world.enrol();
  });
  afterEach(() => world.destroy());

  test("attack: a model without approval, and one that its own publisher approves", async () => {
    const bare = await run(await world.publish("bare", { approvedBy: null }));
    assert.deepEqual(failed(bare), ["approval"]);
    assert.equal(bare.outcome, "not proven");
    assert.deepEqual(failed(await run(await world.publish("own", { approvedBy: "publisher" }))), ["approval"]);
  });

  test("attack: whoever trained a model approves it", async () => {
    const report = await run(await world.publish("trained", { trainedBy: "second", approvedBy: "second" }));
    assert.deepEqual(failed(report), ["approval"]);
    assert.match(explain(report), /who did not make it/);
  });

  test("attack: a rejection outvoted by somebody else's later approval", async () => {
    const model = await world.publish("first");
    await decide("reviewer", model, "rejected");
    await decide("second", model, "approved");
    const report = await run(model);
    assert.deepEqual(failed(report), ["approval"]);
    assert.match(explain(report), /rejected by reviewer/);
    assert.equal(report.outcome, "bad");
  });

  test("a rejection is taken back by whoever rejected, and a rejection by others does not count", async () => {
    const model = await world.publish("first");
    await decide("reviewer", model, "rejected");
    await decide("reviewer", model, "approved");
    await decide("outsider", model, "rejected");
    await decide("publisher", model, "rejected");
    const report = await run(model);
    assert.equal(explain(report), "");
    assert.deepEqual(report.answer?.models[0]?.approvedBy, ["reviewer"]);
  });

  test("attack: a known signer's statement that cannot be read might be a rejection", async () => {
    const model = await world.publish("first");
    const predicate = { decision: "rejektid", evaluated: [] };
    await world.state("reviewer", makeStatement([{ digest: model.manifest }], "urn:tally:approval:v1", predicate));
    assert.deepEqual(failed(await run(model)), ["statement readable"]);
  });

  test("attack: a statement about the manifest as a model of another repository", async () => {
    const model = await world.publish("first", { approvedBy: null, release: false });
    const files = [{ name: "model.onnx", digest: model.file, size: 1000 }];
    const signature = await world.state(
      "outsider",
      modelSignatureStatement({
        name: "toy",
        resources: [{ path: "model.onnx", digest: model.file }],
        method: "files",
        allowSymlinks: false,
        ignorePaths: [],
      }),
    );
    const { manifest } = model;
    await world.state("outsider", modelStatement({ manifest, repository: "toys", files, signature }));
    await decide("outsider", model, "approved");
    await release("outsider", model, "toys:stable");
    const report = await run(model);
    assert.deepEqual(new Set(failed(report)), new Set(["approval", "release"]));
    assert.equal(report.answer?.models[0]?.repository, "tumours");
  });

  test("attack: a verdict for another repository, another model, another gate, or on no ground", async () => {
    const verdicts: readonly [object, string][] = [
      [{ repository: "toys" }, "model statement"],
      [{ subject: digestOf(utf8("other")) }, "permit"],
      [{ gate: "approve" }, "permit"],
      [{ allow: false }, "permit"],
      [{ inputs: [] }, "permit"],
      [{ inputs: [digestOf(utf8("a statement that nobody logged"))] }, "permit"],
    ];
    for (const [verdict, check] of verdicts) {
      const other = await world.enrol();
      device = other;
      const model = await world.publish(JSON.stringify(verdict), { verdict: verdict as Record<string, string> });
      assert.ok(failsFor(model, check, await run(model)), JSON.stringify(verdict));
      world.pass(hour);
    }
    const model = await world.publish("no verdict at all");
    await world.load(device, model, "accepted", { permit: null });
    await world.sync(device);
    assert.ok(failsFor(model, "permit", await judge(world)));
  });

  test("attack: a release to a channel of another repository, or by someone who may not", async () => {
    const model = await world.publish("first", { release: false });
    await release("publisher", model, "toys:stable");
    await release("reviewer", model, "tumours:stable");
    const report = await run(model);
    assert.deepEqual(failed(report), ["release"]);
    assert.equal(report.outcome, "not proven");
  });

  test("attack: a release from before the approval", async () => {
    const model = await world.publish("first", { approvedBy: null });
    await decide("reviewer", model, "approved");
    assert.match(explain(await run(model)), /release .*before it was approved/);
  });

  test("attack: files under each other's names, files left out, and files that nobody signed", async () => {
    const [a, b, c] = ["a", "b", "c"].map((name) => digestOf(utf8(name)));
    const sign = (resources: { path: string; digest: typeof a }[]) =>
      world.state(
        "publisher",
        modelSignatureStatement({
          name: "m",
          resources: resources.map(({ path, digest }) => ({ path, digest: digest! })),
          method: "files",
          allowSymlinks: false,
          ignorePaths: [],
        }),
      );
    const signatures = [
      await sign([
        { path: "b.onnx", digest: a },
        { path: "a.onnx", digest: b },
      ]),
      await sign([{ path: "a.onnx", digest: a }]),
      await sign([
        { path: "a.onnx", digest: a },
        { path: "b.onnx", digest: b },
        { path: "c.onnx", digest: c },
      ]),
    ];
    for (const [i, signature] of signatures.entries()) {
      const manifest = digestOf(utf8(`manifest ${i}`));
      const files = [
        { name: "a.onnx", digest: a!, size: 1 },
        { name: "b.onnx", digest: b!, size: 1 },
      ];
      const stated = await world.state(
        "publisher",
        modelStatement({ manifest, repository: "tumours", files, signature }),
      );
      const model = { manifest, file: a!, permit: await world.verdict(manifest, [stated]) };
      await world.load(device, model, "accepted", { files: [{ digest: a, size: 1 }] });
      await world.sync(device);
      assert.ok(failsFor(model, "model signature", await judge(world)), `signature ${i}`);
    }
  });

  test("attack: a model stated, or its files signed, by somebody who may not", async () => {
    const model = await world.publish("first", { approvedBy: null, release: false });
    const { manifest, file } = model;
    const files = [{ name: "model.onnx", digest: file, size: 1000 }];
    const resources = [{ path: "model.onnx", digest: file }];
    const signed = modelSignatureStatement({
      name: "m",
      resources,
      method: "files",
      allowSymlinks: false,
      ignorePaths: [],
    });
    const other = digestOf(utf8("another manifest"));
    const signature = await world.state("reviewer", signed);
    const good = await world.state("publisher", signed);
    const byPublisher = modelStatement({ manifest: other, repository: "tumours", files, signature });
    const permit = await world.verdict(other, [await world.state("publisher", byPublisher)]);
    const first = { manifest: other, file, permit };
    assert.ok(failsFor(first, "model signature", await run(first)));

    const third = digestOf(utf8("a third manifest"));
    const byReviewer = modelStatement({ manifest: third, repository: "tumours", files, signature: good });
    const stated = await world.state("reviewer", byReviewer);
    const second = { manifest: third, file, permit: await world.verdict(third, [stated]) };
    assert.ok(failsFor(second, "model statement", await run(second)));
    assert.ok(manifest !== third);
  });

  test("attack: a revoked key, and a key of somebody who left", async () => {
    const model = await world.publish("first");
    const report = await run(model);
    assert.equal(explain(report), "");
    await world.revokePerson("reviewer", world.nowMs + hour);
    assert.equal(explain(await judge(world)), "");
    await world.revokePerson("reviewer", Date.UTC(2025, 0));
    assert.deepEqual(failed(await judge(world)), ["approval"]);
    await world.revokePerson("reviewer", world.nowMs + 2 * hour);
    assert.deepEqual(failed(await judge(world)), ["approval"]);
  });

  test("attack: a plane that files a statement under another subject or type", async () => {
    const model = await world.publish("first");
    const { manifest } = model;
    const statement = approvalStatement({ manifest, decision: "approved", evaluated: [] });
    await world.state("reviewer", statement, { predicateType: "urn:tally:model:v1" });
    assert.deepEqual(failed(await run(model)), ["statement"]);
  });

  test("attack: a plane that lists a statement under what it is not about", async () => {
    const model = await world.publish("first");
    const { manifest } = model;
    const rejection = approvalStatement({ manifest, decision: "rejected", evaluated: [] });
    const envelope = await world.state("reviewer", rejection, { subjects: [digestOf(utf8("elsewhere"))] });
    const known = world.statementsAbout.bind(world);
    world.statementsAbout = async (subject) => {
      const hidden = await world.statement(envelope);
      return subject === manifest
        ? [...(await known(subject)).filter((row) => row !== hidden), hidden!]
        : known(subject);
    };
    assert.ok(failed(await run(model)).includes("statement"));
  });

  test("a training statement of a stranger to training is no origin, and data without a source says so", async () => {
    const model = await world.publish("first");
    const digest = digestOf(utf8("first model.onnx"));
    const stranger = trainingStatement([{ name: "model.onnx", digest }], {
      buildType: "urn:test:training",
      parameters: {},
      dependencies: [{ name: "secret.csv", digest: digestOf(utf8("secret")), role: "dataset" }],
      builder: "urn:test:builder",
    });
    await world.state("outsider", stranger);
    await world.state("second", stranger);
    const report = await run(model);
    assert.equal(explain(report), "");
    const { trainedBy, data } = report.answer!.models[0]!.origin;
    assert.deepEqual(new Set(trainedBy), new Set(["publisher", "second"]));
    assert.deepEqual(
      data.map(({ name, source }) => [name, source]),
      [
        ["data.csv", "https://archive.example/data"],
        ["secret.csv", null],
      ],
    );
  });
});
