import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import {
  approvalStatement,
  generatePrivateKeyPem,
  publicIdentity,
  publicKeyOfPem,
  type Report,
  type TrustedIdentity,
  verifyBundle,
} from "@tally/evidence";
import { answer } from "./answer.ts";
import { AnswerWorld, type Person, type TestModel } from "./answer-world.ts";
import { explain, failed } from "./judgement.ts";

// Whose signature counts, where and when: each combination of period, rotation and revocation, judged by the brackets of the plane's log.

const hour = 3_600_000;

let world: AnswerWorld;
beforeEach(async () => {
  world = await AnswerWorld.create();
  world.timed = true;
});
afterEach(() => world.destroy());

/** A model that the reviewer has not approved yet. */
const unapproved = () => world.publish("first", { approvedBy: null, release: false });

function approve(model: TestModel, pem = world.pemOf("reviewer")) {
  const approval = approvalStatement({ manifest: model.manifest, decision: "approved", evaluated: [] });
  return world.stateWith([pem], approval);
}

/** What a verifier finds whose trust file says this of a person. */
async function judgedWith(changes: Partial<TrustedIdentity>, person: Person = "reviewer"): Promise<Report> {
  const identities = world.trust.identities.map((own) => (own.name === person ? { ...own, ...changes } : own));
  const [from, to] = [Date.UTC(2025, 11), Date.UTC(2027, 0)];
  const [{ manifest }] = models as [TestModel];
  const bundle = await answer(world, { kind: "records", model: manifest, from, to, devices: null });
  return verifyBundle({ bundle, trust: { ...world.trust, identities } });
}

let models: TestModel[] = [];

/** Publishes, runs on a device, and lets time pass in between; `decide` is when the reviewer acts. */
async function story(decide: (model: TestModel) => Promise<unknown>): Promise<void> {
  const model = await unapproved();
  models = [model];
  await world.seal();
  world.pass(hour);
  await decide(model);
  await world.seal();
  const device = await world.enrol();
  await world.load(device, model);
  await world.infer(device);
  world.pass(hour);
  await world.sync(device);
}

const approvalOf = (report: Report) => report.checks.find(({ name }) => name === "approval");
const whySigner = (report: Report) => report.checks.filter(({ name }) => name === "signer").map(({ reason }) => reason);

/** Of the checks about people, those that did not hold. */
const people = (report: Report) => failed(report).filter((name) => name !== "release");

describe("a period", () => {
  test("an approval counts that is proven to lie within it", async () => {
    await story((model) => approve(model));
    const began = world.nowMs - 2 * hour;
    assert.deepEqual(people(await judgedWith({ from: began, until: world.nowMs })), []);
  });

  test("attack: a key that is used before its from", async () => {
    await story((model) => approve(model));
    const report = await judgedWith({ from: world.nowMs - hour });
    assert.equal(approvalOf(report)?.result, "not made");
    assert.match(whySigner(report)[0]!, /reviewer counts from .* on; it is proven to be younger than .* only/);
  });

  test("attack: a plane that leaves the checkpoints out which show that a key was used before its from", async () => {
    await story((model) => approve(model));
    world.timed = false;
    // Only the newest checkpoint is left, and by that one everything is young enough.
    const report = await judgedWith({ from: world.nowMs - hour });
    assert.equal(approvalOf(report)?.result, "not made");
    assert.match(whySigner(report)[0]!, /reviewer counts from/);
  });

  test("attack: a key that is used after its until, by a statement that claims to be older", async () => {
    await story((model) => approve(model));
    const report = await judgedWith({ until: world.nowMs - hour });
    assert.equal(approvalOf(report)?.result, "not made");
    assert.match(whySigner(report)[0]!, /reviewer counts until .*; it is proven by .* only/);
  });
});

test("attack: a signature outside of the repositories that the key is for", async () => {
  await story((model) => approve(model));
  const report = await judgedWith({ repositories: ["toys*"] });
  assert.equal(approvalOf(report)?.result, "not made");
  assert.deepEqual(whySigner(report), [
    "the signature does not count: reviewer may approve for toys*, not for tumours",
  ]);
  const other = await judgedWith({ may: ["evaluate"] });
  assert.deepEqual(whySigner(other), ["the signature does not count: reviewer may not approve"]);
});

describe("a revocation", () => {
  test("what is proven older than the compromise stands, however late the revocation comes", async () => {
    await story((model) => approve(model));
    world.pass(30 * 24 * hour);
    await world.revokePerson("reviewer", world.nowMs - 29 * 24 * hour);
    assert.deepEqual(people(await judgedWith({})), []);
  });

  test("attack: a thief's signature after the compromise, backdated in its words", async () => {
    await story(async (model) => {
      await world.revokePerson("reviewer", world.nowMs - hour / 2);
      await approve(model);
    });
    const report = await judgedWith({});
    assert.equal(approvalOf(report)?.result, "not made");
    assert.match(whySigner(report)[0]!, /reviewer signed with a key that is revoked as of .*; it is proven by .* only/);
  });

  test("attack: a plane that leaves out what proves a signature's age gains nothing for one that is too young", async () => {
    await story(async (model) => {
      await world.revokePerson("reviewer", world.nowMs - hour / 2);
      await approve(model);
    });
    world.timed = false;
    assert.equal(approvalOf(await judgedWith({}))?.result, "not made");
  });

  test("without a time nothing stands that the key ever signed", async () => {
    await story((model) => approve(model));
    await world.revokePerson("reviewer", null);
    const report = await judgedWith({});
    assert.equal(approvalOf(report)?.result, "not made");
    assert.match(whySigner(report)[0]!, /revoked for all that it ever signed/);
  });
});

describe("a rotation", () => {
  const fresh = () => {
    const pem = generatePrivateKeyPem("p-256");
    return { pem, identity: publicIdentity(publicKeyOfPem(pem).spki) };
  };

  test("the new key signs with the old one's rights, for a verifier whose trust file knows the old one only", async () => {
    const { pem, identity } = fresh();
    await story(async (model) => {
      const rotation = { newKey: identity, retiresAt: world.nowMs + hour, reason: "a new card" };
      await world.rotatePerson("reviewer", rotation, [world.pemOf("reviewer"), pem]);
      await approve(model, pem);
    });
    const report = await judgedWith({});
    assert.deepEqual(people(report), []);
    const rotated = report.checks.find(({ name }) => name === "key rotation");
    assert.equal(rotated?.result, "good");
    assert.match(rotated.reason, new RegExp(`goes on with key ${identity.keyId}`));
    assert.match(approvalOf(report)!.reason, /by reviewer/);
    assert.deepEqual(people(await judgedWith({ repositories: ["toys"] })), ["approval"]);
  });

  test("what the old key signed before goes on counting", async () => {
    const { pem, identity } = fresh();
    await story((model) => approve(model));
    const rotation = { newKey: identity, retiresAt: world.nowMs, reason: "a new card" };
    await world.rotatePerson("reviewer", rotation, [world.pemOf("reviewer"), pem]);
    assert.deepEqual(people(await judgedWith({})), []);
  });

  test("attack: a key that was rotated out goes on signing", async () => {
    const { pem, identity } = fresh();
    await story(async (model) => {
      const rotation = { newKey: identity, retiresAt: world.nowMs, reason: "a new card" };
      await world.rotatePerson("reviewer", rotation, [world.pemOf("reviewer"), pem]);
      world.pass(60_000);
      await approve(model);
    });
    const report = await judgedWith({});
    assert.equal(approvalOf(report)?.result, "not made");
    assert.match(whySigner(report)[0]!, /revoked as of/);
  });

  test("attack: a new key whose signature was logged before it took the old one's place", async () => {
    const { pem, identity } = fresh();
    await story(async (model) => {
      await approve(model, pem);
      await world.seal();
      const rotation = { newKey: identity, retiresAt: world.nowMs + hour, reason: "a new card" };
      await world.rotatePerson("reviewer", rotation, [world.pemOf("reviewer"), pem]);
    });
    const report = await judgedWith({});
    assert.equal(approvalOf(report)?.result, "not made");
    assert.match(whySigner(report)[0]!, /took its place only at entry/);
  });

  test("attack: a thief rotates a stolen key to their own; the revocation of the stolen one ends both", async () => {
    const { pem, identity } = fresh();
    await story(async (model) => {
      const rotation = { newKey: identity, retiresAt: world.nowMs + hour, reason: "mine now" };
      await world.rotatePerson("reviewer", rotation, [world.pemOf("reviewer"), pem]);
      await approve(model, pem);
      await world.revokePerson("reviewer", world.nowMs - hour / 2);
    });
    const report = await judgedWith({});
    assert.equal(approvalOf(report)?.result, "not made");
    const rotated = report.checks.find(({ name }) => name === "key rotation");
    assert.equal(rotated?.result, "not made");
    assert.match(rotated.reason, /the old key's signature does not count: reviewer signed with a key that is revoked/);
  });

  test("a compromise after the rotation leaves what the new key signs", async () => {
    const { pem, identity } = fresh();
    await story(async (model) => {
      const rotation = { newKey: identity, retiresAt: world.nowMs + hour, reason: "a new card" };
      await world.rotatePerson("reviewer", rotation, [world.pemOf("reviewer"), pem]);
      await world.seal();
      world.pass(60_000);
      await approve(model, pem);
      await world.revokePerson("reviewer", world.nowMs);
    });
    assert.deepEqual(people(await judgedWith({})), []);
  });

  test("attack: a rotation that the old key, or the new one, has not signed", async () => {
    const { pem, identity } = fresh();
    const signing = [() => [pem], () => [world.pemOf("reviewer")], () => [world.pemOf("publisher"), pem]] as const;
    for (const pems of signing) {
      await world.destroy();
      world = await AnswerWorld.create();
      world.timed = true;
      await story(async (model) => {
        const rotation = { newKey: identity, retiresAt: world.nowMs + hour, reason: "a new card" };
        await world.rotatePerson("reviewer", rotation, pems());
        await approve(model, pem);
      });
      const report = await judgedWith({});
      assert.ok(failed(report).includes("key rotation"), explain(report));
      assert.ok(failed(report).includes("approval"));
    }
  });

  test("attack: a publisher rotates to the reviewer's key, or a reviewer to the publisher's, to approve their own model", async () => {
    await story(async (model) => {
      const newKey = world.trust.identities.find(({ name }) => name === "publisher")!;
      const rotation = { newKey, retiresAt: world.nowMs + hour, reason: "one key for two" };
      await world.rotatePerson("reviewer", rotation, [world.pemOf("reviewer"), world.pemOf("publisher")]);
      await approve(model, world.pemOf("publisher"));
    });
    const report = await judgedWith({});
    assert.ok(failed(report).includes("approval"));
    const rotated = report.checks.find(({ name }) => name === "key rotation");
    assert.equal(rotated?.result, "bad");
    assert.match(rotated.reason, /the new key is publisher's/);
  });

  test("attack: a publisher approves their own model with the key that they went on with", async () => {
    const { pem, identity } = fresh();
    await story(async (model) => {
      const rotation = { newKey: identity, retiresAt: world.nowMs + hour, reason: "a new card" };
      await world.rotatePerson("publisher", rotation, [world.pemOf("publisher"), pem]);
      await approve(model, pem);
    });
    const report = await judgedWith({ may: ["ingest", "train", "sign-model", "release", "approve"] }, "publisher");
    assert.equal(approvalOf(report)?.result, "not made");
  });

  test("attack: a plane whose fleet log retires the old key at another time than its holder said", async () => {
    const { pem, identity } = fresh();
    await story(async (model) => {
      const rotation = { newKey: identity, retiresAt: world.nowMs + hour, reason: "a new card" };
      const lie = { compromiseTime: world.nowMs + 2 * hour };
      await world.rotatePerson("reviewer", rotation, [world.pemOf("reviewer"), pem], lie);
      await approve(model, pem);
    });
    assert.ok(failed(await judgedWith({})).includes("key rotation"));
  });

  test("a key goes on a second time", async () => {
    const [second, third] = [fresh(), fresh()];
    await story(async (model) => {
      const first = { newKey: second.identity, retiresAt: world.nowMs + hour, reason: "a new card" };
      await world.rotatePerson("reviewer", first, [world.pemOf("reviewer"), second.pem]);
      const again = { oldKeyId: second.identity.keyId, newKey: third.identity, retiresAt: world.nowMs + hour };
      await world.rotate({ ...again, reason: "another" }, [second.pem, third.pem]);
      await approve(model, third.pem);
    });
    assert.deepEqual(people(await judgedWith({})), []);
  });
});
