import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  approvalStatement,
  asHash,
  type ChannelResponse,
  digestOf,
  type Envelope,
  envelopeMediaType,
  fromBase64,
  generatePrivateKeyPem,
  hashLeaf,
  ingestionStatement,
  modelSignatureStatement,
  modelStatement,
  parseCheckpoint,
  publicKeyOfPem,
  publicKeyPem,
  releaseStatement,
  type Statement,
  type StatementProof,
  type StatementResponse,
  signStatement,
  statementSignerFromPem,
  toBase64,
  utf8,
  verifyConsistency,
  verifyInclusion,
} from "@tally/evidence";
import { type Answer, errorOf, json } from "./testing/plane-client.ts";
import { startWitnessed, TestPlane } from "./testing/test-plane.ts";

const repository = "models/tumours";
const channel = `${repository}:stable`;
const files = [{ name: "model.onnx", digest: digestOf(utf8("weights")), size: 7 }];
const manifest = digestOf(utf8("a manifest"));

/** People with keys of their own, known to the plane by what each may do, and tokens for their roles. */
class People {
  readonly #plane: TestPlane;
  readonly #pems = {
    publisher: generatePrivateKeyPem("p-256"),
    reviewer: generatePrivateKeyPem("p-256"),
    stranger: generatePrivateKeyPem("p-256"),
  };
  readonly tokens: Readonly<Record<"publisher" | "approver", string>>;

  private constructor(plane: TestPlane, tokens: Readonly<Record<"publisher" | "approver", string>>) {
    this.#plane = plane;
    this.tokens = tokens;
  }

  static async at(plane: TestPlane): Promise<People> {
    const tokens = { publisher: await plane.token("publisher"), approver: await plane.token("approver") };
    const people = new People(plane, tokens);
    await people.#introduce("publisher", ["ingest", "train", "sign-model", "release"]);
    await people.#introduce("reviewer", ["approve"]);
    return people;
  }

  async #introduce(name: "publisher" | "reviewer", may: string[]): Promise<void> {
    const key = publicKeyPem(publicKeyOfPem(this.#pems[name]).spki);
    const answer = await this.#plane.call("POST", "/api/v1/identities", {
      body: { name, key, may, repositories: ["*"] },
    });
    assert.equal(answer.status, 201, answer.text);
  }

  sign(who: "publisher" | "reviewer" | "stranger", statement: Statement): Promise<Envelope> {
    return signStatement(statement, statementSignerFromPem(this.#pems[who]));
  }

  async state(who: "publisher" | "reviewer" | "stranger", statement: Statement, token?: string): Promise<Answer> {
    const { bytes } = await this.sign(who, statement);
    const by = token ?? this.tokens[who === "reviewer" ? "approver" : "publisher"];
    return this.#plane.call("POST", "/api/v1/statements", { token: by, body: bytes, type: envelopeMediaType });
  }

  /** Signs the model and says what it is. */
  async describeModel(): Promise<void> {
    const resources = files.map(({ name, digest }) => ({ path: name, digest }));
    const signature = await this.state(
      "publisher",
      modelSignatureStatement({ name: "tumours", resources, method: "files", allowSymlinks: false, ignorePaths: [] }),
    );
    const { digest } = json<StatementResponse>(signature);
    const model = await this.state("publisher", modelStatement({ manifest, repository, files, signature: digest }));
    assert.equal(model.status, 201, model.text);
  }
}

const approval = approvalStatement({ manifest, decision: "approved", evaluated: [] });
const release = (sequence: number) =>
  releaseStatement({ manifest, purl: `pkg:oci/tumours@${manifest}`, releaseId: "1", channel, sequence });
const ingestion = ingestionStatement({
  source: "https://archive.example/data",
  license: "CC-BY-4.0",
  files: [{ name: "data.csv", digest: digestOf(utf8("data")), size: 4 }],
});

async function witnessedWithPeople(t: TestContext): Promise<{ plane: TestPlane; people: People }> {
  const { plane } = await startWitnessed(t);
  return { plane, people: await People.at(plane) };
}

test("a statement is answered when it is committed, and proven under the next cosigned checkpoint", async (t) => {
  const { plane, people } = await witnessedWithPeople(t);
  const answer = await people.state("publisher", ingestion);
  assert.equal(answer.status, 201, answer.text);
  const { digest, index } = json<StatementResponse>(answer);
  const waiting = plane.call("GET", `/api/v1/statements/${digest}/proof`);
  await plane.seal();
  const proof = json<StatementProof>(await waiting);
  const { checkpoint } = parseCheckpoint(proof.checkpoint);
  const entry = fromBase64(proof.entry);
  const hashes = proof.proof.map((hash) => asHash(fromBase64(hash)));
  assert.deepEqual([proof.index, proof.size], [index, checkpoint.size]);
  assert.equal(proof.leaf, toBase64(hashLeaf(entry)));
  verifyInclusion(index, checkpoint.size, hashLeaf(entry), hashes, checkpoint.root);
  const envelope = await plane.call("GET", `/api/v1/statements/${digest}`);
  assert.equal(envelope.type, envelopeMediaType);
  assert.equal(digestOf(envelope.bytes), digest);
});

test("a statement of an unknown signer is refused, with what to do about it", async (t) => {
  const plane = await TestPlane.start(t);
  const people = await People.at(plane);
  const before = plane.plane.parts.logs.log.nextIndex;
  const answer = await people.state("stranger", ingestion);
  assert.equal(answer.status, 403);
  assert.match(errorOf(answer)?.hint ?? "", /identities/);
  assert.equal(plane.plane.parts.logs.log.nextIndex, before);
});

test("a release without an approval is denied with every reason, and with one it is taken", async (t) => {
  const plane = await TestPlane.start(t);
  const people = await People.at(plane);
  await people.describeModel();
  const denied = await people.state("publisher", release(1));
  assert.equal(denied.status, 403, denied.text);
  const error = errorOf(denied)!;
  assert.equal(error.code, "policy-denied");
  assert.deepEqual(
    error.reasons?.filter(({ result }) => result === "fail").map(({ rule }) => rule),
    ["approved-by-another"],
  );
  const verdict = json<{ allow: boolean }>(await plane.call("GET", `/api/v1/blobs/${error.verdict}`));
  assert.equal(verdict.allow, false);
  assert.equal((await people.state("reviewer", approval)).status, 201);
  assert.equal((await people.state("publisher", release(1))).status, 201);
});

test("a channel leads to its newest release with proofs, and on from what a device has pinned", async (t) => {
  const { plane, people } = await witnessedWithPeople(t);
  await people.describeModel();
  await people.state("reviewer", approval);
  const pinned = parseCheckpoint((await plane.call("GET", "/log/checkpoint")).text).checkpoint;
  await people.state("publisher", release(1));
  const waiting = plane.call("GET", `/api/v1/channels/${repository}/stable?pinned=${pinned.size}`);
  await plane.seal();
  const answer = json<ChannelResponse>(await waiting);
  assert.deepEqual([answer.manifest, answer.sequence, answer.channel], [manifest, 1, channel]);
  const { checkpoint } = parseCheckpoint(answer.checkpoint);
  for (const { index, entry, proof } of answer.statements) {
    const hashes = proof.map((hash) => asHash(fromBase64(hash)));
    verifyInclusion(index, checkpoint.size, hashLeaf(fromBase64(entry)), hashes, checkpoint.root);
  }
  assert.ok(answer.statements.some(({ digest }) => digest === answer.release));
  assert.equal(answer.statements.length, 4);
  const consistency = answer.consistency.map((hash) => asHash(fromBase64(hash)));
  verifyConsistency(pinned.size, checkpoint.size, pinned.root, checkpoint.root, consistency);

  const again = await people.state("publisher", release(1));
  assert.equal(again.status, 409, "rolling back takes a higher number");
  assert.equal((await plane.call("GET", `/api/v1/channels/${repository}/none`)).status, 404);
});

test("a token for some repositories brings no statements about others", async (t) => {
  const plane = await TestPlane.start(t);
  const people = await People.at(plane);
  await people.describeModel();
  await people.state("reviewer", approval);
  const elsewhere = await plane.token("publisher", "other/*");
  const answer = await people.state("publisher", release(1), elsewhere);
  assert.equal(answer.status, 403, answer.text);
  assert.equal(errorOf(answer)?.code, "forbidden");
  const here = await plane.token("publisher", "models/*");
  assert.equal((await people.state("publisher", release(1), here)).status, 201);
});
