import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  asHash,
  type ChannelResponse,
  decodeEntry,
  digestOf,
  type Envelope,
  evaluationStatement,
  fromBase64,
  hashLeaf,
  parseCheckpoint,
  parseEnvelope,
  type RootHash,
  releaseType,
  verifyAllOf,
  verifyConsistency,
  verifyInclusion,
} from "@tally/evidence";
import { decide, signedStatement } from "@tally/policy";
import { PlaneError } from "../error.ts";
import {
  approval,
  by,
  channel,
  ingestion,
  modelNamed,
  release,
  repository,
  StatementWorld,
} from "./statement-world.ts";

/** Checks an answer as a device does, from the trust file and what it has pinned; returns the envelopes. */
async function verified(
  world: StatementWorld,
  answer: ChannelResponse,
  pinned?: { size: number; root: RootHash },
): Promise<readonly Envelope[]> {
  const trust = await world.identities.trust();
  const { note, checkpoint } = parseCheckpoint(answer.checkpoint);
  verifyAllOf(note, `${trust.plane.name}/log`, trust.plane.log);
  const { size, root } = checkpoint;
  if (pinned !== undefined) {
    const proof = answer.consistency.map((hash) => asHash(fromBase64(hash)));
    verifyConsistency(pinned.size, size, pinned.root, root, proof);
  }
  return answer.statements.map(({ digest, envelope, index, entry, proof }) => {
    const bytes = fromBase64(entry);
    const hashes = proof.map((hash) => asHash(fromBase64(hash)));
    verifyInclusion(index, size, hashLeaf(bytes), hashes, root);
    const leaf = decodeEntry(bytes);
    assert.ok(leaf.kind === "statement" && leaf.envelope === digest);
    assert.equal(digestOf(fromBase64(envelope)), digest);
    return parseEnvelope(fromBase64(envelope));
  });
}

describe("a channel", () => {
  let world: StatementWorld;
  const [first, second] = [modelNamed("first"), modelNamed("second")];
  let pinned: { size: number; root: RootHash; note: string };
  before(async () => {
    world = await StatementWorld.create();
    await world.addModel(first);
    const evaluation = evaluationStatement({ subject: first.manifest, result: "PASSED", configuration: [] });
    await world.add(await by("reviewer", evaluation), "approver");
    await world.add(await by("reviewer", approval(first)), "approver");
    await world.add(await by("releaser", release(first, 1)), "publisher");
    const { note } = await world.seal();
    pinned = { ...parseCheckpoint(note).checkpoint, note };
  });
  after(() => world.destroy());

  test("leads to its release with every statement proven, enough to decide without the plane", async () => {
    const answer = await world.channels.resolve(channel, 0, pinned);
    assert.equal(answer.manifest, first.manifest);
    assert.equal(answer.sequence, 1);
    assert.deepEqual(answer.consistency, []);
    const indices = answer.statements.map(({ index }) => index);
    assert.deepEqual(
      indices,
      [...indices].sort((a, b) => a - b),
    );
    const envelopes = await verified(world, answer);
    assert.equal(envelopes.length, 6);
    assert.ok(envelopes.some(({ digest }) => digest === answer.release));
    const trust = await world.identities.trust();
    const verdict = decide({
      gate: "load",
      manifest: answer.manifest,
      repository,
      channel,
      statements: envelopes.map((envelope) => signedStatement(envelope, trust)),
      trust,
      files: [first.file],
    });
    assert.equal(verdict.allow, true, JSON.stringify(verdict.reasons));
  });

  test("goes on with the newest release, consistent with what was pinned", async () => {
    await world.addModel(second);
    await world.add(await by("reviewer", approval(second)), "approver");
    await world.add(await by("releaser", release(second, 2)), "publisher");
    const answer = await world.channels.resolve(channel, pinned.size, await world.seal());
    assert.equal(answer.manifest, second.manifest);
    const envelopes = await verified(world, answer, pinned);
    assert.equal(envelopes.filter(({ statement }) => statement.predicateType === releaseType).length, 1);
  });

  test("under an older checkpoint leads where it led then", async () => {
    const answer = await world.channels.resolve(channel, 0, pinned);
    assert.equal(answer.sequence, 1);
    assert.equal((await verified(world, answer)).length, 6);
  });

  test("shows a rejection that came after the release", async () => {
    await world.add(await by("reviewer", approval(second, "rejected")), "approver");
    const answer = await world.channels.resolve(channel, pinned.size, await world.seal());
    const envelopes = await verified(world, answer, pinned);
    const decisions = envelopes.map(({ statement }) => statement.predicate.decision).filter((d) => d !== undefined);
    assert.deepEqual(decisions, ["approved", "rejected"]);
  });

  test("goes back to an earlier model by a new, higher number", async () => {
    await world.add(await by("releaser", release(first, 3)), "publisher");
    const answer = await world.channels.resolve(channel, pinned.size, await world.seal());
    assert.equal(answer.manifest, first.manifest);
    assert.equal(answer.sequence, 3);
    await verified(world, answer, pinned);
  });

  test("that nothing was released to is not found", async () => {
    const newest = await world.seal();
    await assert.rejects(
      world.channels.resolve(`${repository}:nightly`, 0, newest),
      (error) => error instanceof PlaneError && error.code === "not-found",
    );
  });

  test("is not resolved under a checkpoint smaller than what is pinned", async () => {
    await world.add(await by("publisher", ingestion("more.csv")));
    await assert.rejects(
      world.channels.resolve(channel, pinned.size + 1, pinned),
      (error) => error instanceof PlaneError && error.code === "conflict" && /backup/.test(error.hint ?? ""),
    );
  });
});
