import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  approvalType,
  type Digest,
  decodeEntry,
  type Envelope,
  encodeJson,
  evaluationStatement,
  hashLeaf,
  makeStatement,
  modelStatement,
  parseEnvelope,
  type Role,
  releaseType,
  roles,
  type Statement,
  selectionStatement,
  toBase64,
  verifyInclusion,
} from "@tally/evidence";
import { PolicyError, permitDigest } from "@tally/policy";
import { PlaneError, type PlaneErrorCode } from "../error.ts";
import {
  approval,
  by,
  channel,
  ingestion,
  keyOf,
  modelNamed,
  named,
  release,
  repository,
  StatementWorld,
  signerOf,
} from "./statement-world.ts";

/** The PlaneError that the step ends in. */
async function refused(step: Promise<unknown>, code: PlaneErrorCode, ...said: RegExp[]): Promise<PlaneError> {
  const error = await step.then(
    () => assert.fail("it was not refused"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof PlaneError, String(error));
  assert.equal(error.code, code, error.message);
  for (const pattern of said) assert.match(`${error.message} ${error.hint ?? ""}`, pattern);
  return error;
}

describe("statements", () => {
  let world: StatementWorld;
  before(async () => {
    world = await StatementWorld.create();
  });
  after(() => world.destroy());

  const rowsOf = async (digest: Digest) => (await world.statements.about(digest)).map(({ envelope }) => envelope);

  test("a signed statement is found by subject, by type and by digest, and proven in the log", async () => {
    const envelope = await by("publisher", ingestion("found.csv"));
    const answer = await world.add(envelope, "publisher");
    assert.equal(answer.digest, envelope.digest);
    assert.deepEqual(await world.statements.envelope(envelope.digest), envelope.bytes);
    assert.deepEqual(await rowsOf(named("found.csv")), [envelope.digest]);
    const [item, ...others] = await world.statements.list({ subject: named("found.csv") });
    assert.deepEqual(others, []);
    assert.deepEqual(item, {
      digest: envelope.digest,
      index: answer.index,
      predicateType: "urn:tally:ingestion:v1",
      subjects: [named("found.csv")],
      signedBy: ["publisher"],
    });
    const { log } = world.logs;
    const { entry, leaf, proof, index } = await world.statements.proof(envelope.digest, log.size);
    const decoded = decodeEntry(entry);
    assert.ok(decoded.kind === "statement" && decoded.envelope === envelope.digest);
    assert.deepEqual(leaf, hashLeaf(entry));
    verifyInclusion(index, log.size, hashLeaf(entry), [...proof], await log.root());
    await refused(world.statements.proof(envelope.digest, index), "not-ready");
    await refused(world.statements.envelope(named("nothing")), "not-found");
  });

  test("a statement of an unknown signer is refused with the key id and what to do", async () => {
    const envelope = await by("stranger", ingestion("strange.csv"));
    await refused(world.add(envelope), "forbidden", new RegExp(signerOf("stranger").keyId), /identities/);
    assert.deepEqual(await rowsOf(named("strange.csv")), []);
    assert.equal(await world.blobs.has(envelope.digest), undefined);
  });

  test("a known signer's name on a stranger's signature does not help", async () => {
    const { payload, payloadType, signatures } = await by("stranger", ingestion("borrowed.csv"));
    const sig = toBase64(signatures[0]!.signature);
    const keyid = signerOf("publisher").keyId;
    const bytes = encodeJson({ payload: toBase64(payload), payloadType, signatures: [{ keyid, sig }] });
    await refused(world.statements.add(bytes, "admin"), "forbidden", /does not verify/);
  });

  test("a signer may say only what the identity is for", async () => {
    await refused(world.add(await by("reviewer", ingestion("wrong.csv"))), "forbidden", /reviewer may not ingest/);
  });

  test("a signer of other repositories may not sign here", async () => {
    const { manifest, file } = modelNamed("elsewhere");
    const statement = modelStatement({ manifest, repository: "private/heart", files: [file], signature: named("s") });
    await refused(world.add(await by("publisher", statement)), "forbidden", /private\/heart/);
  });

  test("a token of other repositories brings nothing to this one", async () => {
    const { manifest, file } = modelNamed("brought");
    const statement = modelStatement({ manifest, repository, files: [file], signature: named("s") });
    const { bytes } = await by("publisher", statement);
    await refused(world.statements.add(bytes, "publisher", "private/*"), "forbidden", /token/);
  });

  test("each role brings only its own statements", async () => {
    const evaluation = evaluationStatement({ subject: named("m"), result: "PASSED", configuration: [] });
    const segments = [{ manifest: named("segment"), origin: "plane.test/d/1/0", from: 0, to: 9, rows: 3 }];
    const selection = selectionStatement([{ digest: named("set") }], { model: named("m"), segments, filters: {} });
    const offers: [Envelope, Role[]][] = [
      [await by("publisher", ingestion("roles.csv")), ["admin", "publisher"]],
      [await by("reviewer", evaluation), ["admin", "publisher", "approver"]],
      [await by("reviewer", approval(modelNamed("roles"), "rejected")), ["admin", "approver"]],
      [await by("scientist", selection), ["admin", "publisher", "scientist"]],
      [await by("publisher", makeStatement([{ digest: named("x") }], "urn:other:v1", {})), ["admin", "publisher"]],
    ];
    for (const [envelope, allowed] of offers) {
      for (const role of roles) {
        const { predicateType } = envelope.statement;
        const answer = await world.add(envelope, role).then(
          () => "taken",
          (error: PlaneError) => error.code,
        );
        assert.equal(answer, allowed.includes(role) ? "taken" : "forbidden", `${role} with ${predicateType}`);
      }
    }
  });

  test("the same envelope twice gets the same answer and one entry", async () => {
    const envelope = await by("publisher", ingestion("twice.csv"));
    const first = await world.add(envelope);
    const { size } = world.logs.log;
    assert.deepEqual(await Promise.all([world.add(envelope), world.add(envelope)]), [first, first]);
    assert.equal(world.logs.log.size, size);
  });

  test("many at once are all there, each at its own index", async () => {
    const envelopes = await Promise.all(Array.from({ length: 20 }, (_, i) => by("publisher", ingestion(`${i}.csv`))));
    const answers = await Promise.all(envelopes.map((envelope) => world.add(envelope)));
    assert.equal(new Set(answers.map(({ index }) => index)).size, envelopes.length);
    for (const [i, { index }] of answers.entries()) {
      const entry = decodeEntry(await world.logs.log.entry(index));
      assert.ok(entry.kind === "statement" && entry.envelope === envelopes[i]!.digest);
    }
  });

  test("what is no envelope, and what breaks the rules of its type, is a bad request", async () => {
    await refused(world.statements.add(new TextEncoder().encode("{}"), "admin"), "bad-request", /envelope/);
    const broken: Statement = makeStatement([{ digest: named("m") }], approvalType, { decision: "perhaps" });
    await refused(world.add(await by("reviewer", broken)), "bad-request", /decision/);
    const short: Statement = makeStatement([{ digest: named("m") }], releaseType, { purl: "pkg:oci/x" });
    await refused(world.add(await by("releaser", short)), "bad-request", /channel/);
  });

  test("an envelope over a mebibyte is too large", async () => {
    await refused(world.statements.add(new Uint8Array(1024 * 1024 + 1), "admin"), "too-large", /1048577/);
  });

  test("more than 512 subjects stand in a blob and are found all the same", async () => {
    const subjects = Array.from({ length: 513 }, (_, i) => ({ digest: named(`file ${i}`) }));
    const envelope = await by("publisher", makeStatement(subjects, "urn:other:v1", {}));
    const { index } = await world.add(envelope, "publisher");
    const leaf = decodeEntry(await world.logs.log.entry(index));
    assert.ok(leaf.kind === "statement" && leaf.subjectsBlob !== undefined);
    assert.notEqual(await world.blobs.has(leaf.subjectsBlob), undefined);
    assert.deepEqual(await rowsOf(named("file 512")), [envelope.digest]);
    await world.db.run("DELETE FROM statement");
    await world.db.run("DELETE FROM statement_subject");
    await world.db.run("DELETE FROM statement_progress");
    await world.restart();
    assert.deepEqual(await rowsOf(named("file 512")), [envelope.digest]);
  });

  test("a crash between the log and the rows loses nothing and adds nothing twice", async () => {
    const envelope = await by("publisher", ingestion("crash.csv"));
    world.killBeforeRows = true;
    await assert.rejects(world.add(envelope), /killed/);
    const { size } = world.logs.log;
    assert.deepEqual(await rowsOf(named("crash.csv")), []);
    await world.restart();
    assert.deepEqual(await rowsOf(named("crash.csv")), [envelope.digest]);
    assert.deepEqual(await world.add(envelope), { digest: envelope.digest, index: size - 1 });
    assert.equal(world.logs.log.size, size);
  });

  test("after rows could not be written, the next statement finds them made again", async () => {
    const lost = await by("publisher", ingestion("lost.csv"));
    world.killBeforeRows = true;
    await assert.rejects(world.add(lost), /killed/);
    const { index } = await world.add(await by("publisher", ingestion("next.csv")));
    assert.deepEqual(await world.add(lost), { digest: lost.digest, index: index - 1 });
  });

  test("a database newer than the log is refused at the start", async () => {
    const [row] = await world.db.query<{ next: number }>("SELECT next FROM statement_progress");
    await world.db.run("UPDATE statement_progress SET next = 1000000");
    await refused(world.restart(), "configuration", /1000000 entries/);
    await world.db.run("UPDATE statement_progress SET next = ?", [row!.next]);
    await world.restart();
  });
});

describe("releases and approvals", () => {
  let world: StatementWorld;
  const model = modelNamed("first");
  before(async () => {
    world = await StatementWorld.create();
    await world.addModel(model);
  });
  after(() => world.destroy());

  test("a release without an approval is denied with every rule that failed, and the verdict is kept", async () => {
    const { size } = world.logs.log;
    const envelope = await by("releaser", release(model, 1));
    const error = await refused(world.add(envelope, "publisher"), "policy-denied", /approved-by-another/);
    assert.doesNotMatch(error.message, /files-match|not-rejected/);
    assert.ok(error.cause instanceof PolicyError);
    const { verdict } = error.cause;
    assert.notEqual(await world.blobs.has(permitDigest(verdict)), undefined);
    assert.equal(world.logs.log.size, size);
    assert.equal(await world.channels.latestIndex(channel), undefined);
  });

  test("whoever trained the model cannot approve it", async () => {
    await refused(
      world.add(await by("trainer", approval(model)), "approver"),
      "policy-denied",
      /trainer made the model/,
    );
  });

  test("what others approved does not carry the trainer's approval", async () => {
    await world.add(await by("reviewer", approval(model)), "approver");
    await refused(
      world.add(await by("trainer", approval(model)), "approver"),
      "policy-denied",
      /trainer made the model/,
    );
  });

  test("an approval of what nobody calls a model is denied", async () => {
    await refused(
      world.add(await by("reviewer", approval(modelNamed("unheard of")))),
      "policy-denied",
      /model statement/,
    );
  });

  test("an approved model is released, with the verdict kept", async () => {
    const envelope = await by("releaser", release(model, 3));
    const { index } = await world.add(envelope, "publisher");
    assert.equal(await world.channels.latestIndex(channel), index);
    const again = await world.add(envelope, "publisher");
    assert.equal(again.index, index);
  });

  test("a release number that is not the next is a conflict that names the next", async () => {
    for (const sequence of [1, 2, 3]) {
      const again = releaseWithNote(sequence);
      await refused(world.add(await by("releaser", again)), "conflict", /at release 3/, /sequence 4/);
    }
  });

  test("of two releases with one number, one is taken", async () => {
    const offers = await Promise.all([by("releaser", release(model, 4)), by("releaser", releaseWithNote(4))]);
    const answers = await Promise.allSettled(offers.map((envelope) => world.add(envelope)));
    assert.deepEqual(answers.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  });

  test("who may sign models may not release them for that", async () => {
    await refused(world.add(await by("publisher", release(model, 5))), "forbidden", /may not release/);
  });

  test("a rejection passes and stops the next release, until who rejected approves", async () => {
    await world.add(await by("reviewer", approval(model, "rejected")), "approver");
    await refused(
      world.add(await by("releaser", release(model, 5))),
      "policy-denied",
      /not-rejected: rejected by reviewer/,
    );
    await world.add(await by("reviewer", approval(model)), "approver");
    await world.add(await by("releaser", release(model, 5)));
  });

  test("a model goes to no channel of another repository", async () => {
    await refused(
      world.add(await by("releaser", release(model, 1, "models/lung:stable"))),
      "policy-denied",
      /model-signed/,
    );
  });

  test("releases are known again after the index was lost", async () => {
    const before = await world.channels.latestIndex(channel);
    for (const table of ["statement", "statement_subject", "release", "statement_progress"]) {
      await world.db.run(`DELETE FROM ${table}`);
    }
    await world.restart();
    assert.equal(await world.channels.latestIndex(channel), before);
    await refused(world.add(await by("releaser", releaseWithNote(5))), "conflict", /sequence 6/);
  });

  function releaseWithNote(sequence: number): Statement {
    const statement = release(model, sequence);
    return { ...statement, predicate: { ...statement.predicate, note: "another envelope" } };
  }
});

test("a key whose rights were taken away says nothing more", async () => {
  const world = await StatementWorld.create();
  try {
    const envelope = await by("publisher", ingestion("rights.csv"));
    await world.identities.add({ name: "publisher", key: keyOf("publisher"), may: ["train"], repositories: ["*"] });
    await refused(world.add(envelope), "forbidden", /publisher may not ingest/);
    assert.equal(parseEnvelope(envelope.bytes).digest, envelope.digest);
  } finally {
    await world.destroy();
  }
});
