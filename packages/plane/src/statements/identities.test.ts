import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { generatePrivateKeyPem, parseTrust, publicKeyOfPem, publicKeyPem } from "@tally/evidence";
import { PlaneError } from "../error.ts";
import { keyOf, planeName, StatementWorld } from "./statement-world.ts";

let world: StatementWorld;
before(async () => {
  world = await StatementWorld.create();
});
after(() => world.destroy());

test("the plane's trust file is one that verifiers read", async () => {
  const trust = parseTrust(await world.identities.trustFile());
  assert.equal(trust.plane.name, planeName);
  assert.deepEqual(
    trust.plane.log,
    world.keys.log.map(({ key }) => key),
  );
  assert.deepEqual(
    trust.plane.fleet,
    world.keys.fleet.map(({ key }) => key),
  );
  assert.deepEqual(trust.requiredAlgorithms, ["ed25519", "ml-dsa-44"]);
  assert.equal(trust.policyText, "quorum none\n");
  assert.deepEqual(trust.identities.map(({ name }) => name).sort(), [
    "publisher",
    "releaser",
    "reviewer",
    "scientist",
    "trainer",
  ]);
});

test("the same key again replaces what it may, and survives a restart", async () => {
  const before = await world.identities.list();
  const reviewer = {
    name: "second reviewer",
    key: keyOf("reviewer"),
    may: ["evaluate"],
    repositories: ["models/a", "x/*"],
  };
  await world.identities.add(reviewer);
  await world.restart();
  const now = await world.identities.list();
  assert.equal(now.length, before.length);
  assert.deepEqual(
    now.find(({ key }) => key === reviewer.key),
    reviewer,
  );
  const trusted = (await world.identities.trust()).identities.find(({ name }) => name === "second reviewer");
  assert.deepEqual(trusted?.may, ["evaluate"]);
});

test("what a trust file would not take is a bad request that says what is wrong", async () => {
  const key = keyOf("stranger");
  const privateKey = generatePrivateKeyPem("ed25519");
  const good = { name: "new", key, may: ["train"], repositories: ["*"] };
  const wrong: [object, RegExp][] = [
    [{ ...good, may: ["everything"] }, /may\[0\]/],
    [{ ...good, key: "no key" }, /PEM/],
    [{ ...good, key: privateKey }, /PUBLIC KEY/],
    [{ ...good, name: "" }, /name/],
    [{ ...good, repositories: ["Models/ä"] }, /repositories\[0\]/],
  ];
  for (const [body, said] of wrong) {
    await assert.rejects(
      world.identities.add(body as typeof good),
      (error) => error instanceof PlaneError && error.code === "bad-request" && said.test(error.message),
      JSON.stringify(body),
    );
  }
  assert.ok(!(await world.identities.list()).some(({ name }) => name === "new"));
});

test("two keys of one name are one person's, and both are kept", async () => {
  const key = publicKeyPem(publicKeyOfPem(generatePrivateKeyPem("p-384")).spki);
  await world.identities.add({ name: "publisher", key, may: ["sign-model"], repositories: ["*"] });
  assert.equal((await world.identities.list()).filter(({ name }) => name === "publisher").length, 2);
});
