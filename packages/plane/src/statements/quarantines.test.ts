import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { type Digest, type Quarantined, quarantineStatement, type Statement } from "@tally/evidence";
import {
  approval,
  by,
  channel,
  keyOf,
  modelNamed,
  named,
  planeName,
  release,
  StatementWorld,
} from "./statement-world.ts";

describe("quarantines", () => {
  let world: StatementWorld;
  const model = modelNamed("m1");
  const origin = `${planeName}/d/${"0".repeat(32)}/0`;
  const genesis = named("genesis");
  const device: Quarantined = { kind: "device", origin, from: 12, to: null, genesis };
  const segment: Quarantined = {
    kind: "segment",
    manifest: named("segment"),
    origin,
    from: 0,
    to: 40,
    model: model.manifest,
  };
  const ofModel: Quarantined = { kind: "model", manifest: model.manifest };

  const put = (what: Quarantined, at = 1): Statement =>
    quarantineStatement({ decision: "quarantine", what, reason: "drifted", at });
  const lift = (lifts: Digest, digest: Digest): Statement =>
    quarantineStatement({ decision: "lift", lifts, subjects: [{ digest }], reason: "cleared", at: 2 });
  const refused = (code: string, message: RegExp) => ({ name: "PlaneError", code, message });

  beforeEach(async () => {
    world = await StatementWorld.create();
    await world.addModel(model);
    await world.db.run(
      "INSERT INTO device (origin, device_id, epoch, state, genesis, key_set, fleet_index) VALUES (?, ?, 0, 'active', ?, x'', 1)",
      [origin, "0".repeat(32), genesis],
    );
    await world.db.run("INSERT INTO segment (origin, idx, from_idx, to_idx, artifact) VALUES (?, 41, 0, 40, ?)", [
      origin,
      named("segment"),
    ]);
  });
  afterEach(() => world.destroy());

  test("who may puts devices, segments, models and data under quarantine, and lifts what another did", async () => {
    const things: readonly Quarantined[] = [
      device,
      segment,
      ofModel,
      { kind: "dataset", files: [{ digest: named("d") }] },
    ];
    const put1 = await Promise.all(things.map((what) => by("reviewer", put(what))));
    for (const envelope of put1) await world.add(envelope);
    const list = await world.quarantines.list();
    assert.deepEqual(
      list.map(({ what, by: who, repositories, lifted }) => [what, who, repositories, lifted]),
      things.map((what) => [what, ["reviewer"], ["models/*"], null]),
    );
    await world.identities.add({ name: "steward", key: keyOf("releaser"), may: ["quarantine"], repositories: ["*"] });
    await world.add(await by("releaser", lift(put1[0]!.digest, genesis)));
    const [first, ...others] = await world.quarantines.list();
    assert.deepEqual([first?.repositories, first?.lifted?.by, first?.lifted?.reason], [[], ["steward"], "cleared"]);
    assert.ok(others.every(({ lifted }) => lifted === null));
    assert.equal((await world.quarantines.list(named("segment"))).length, 1);
  });

  test("a quarantine of a device is found by each of its ledgers, also when the rows were made again", async () => {
    const envelope = await by("reviewer", put(device));
    await world.add(envelope);
    await world.db.run("DELETE FROM quarantine");
    await world.db.run("DELETE FROM statement");
    await world.db.run("DELETE FROM statement_progress");
    await world.restart();
    const found = await world.statements.quarantines(origin.replace(/0$/, "3"));
    assert.deepEqual(
      found.map((row) => row.envelope),
      [envelope.digest],
    );
    assert.deepEqual(await world.statements.quarantines(origin.replace(/0{32}/, "1".repeat(32))), []);
  });

  test("attack: who may not, for this repository, puts nothing under quarantine and lifts nothing", async () => {
    const stands = await by("reviewer", put(ofModel));
    await world.add(stands);
    for (const statement of [put(ofModel), put(device), lift(stands.digest, model.manifest)]) {
      await assert.rejects(
        async () => world.add(await by("publisher", statement)),
        refused("forbidden", /may not quarantine/),
      );
    }
    await world.identities.add({
      name: "elsewhere",
      key: keyOf("releaser"),
      may: ["quarantine"],
      repositories: ["toys"],
    });
    for (const statement of [put(ofModel), lift(stands.digest, model.manifest)]) {
      await assert.rejects(
        async () => world.add(await by("releaser", statement)),
        refused("forbidden", /may not quarantine for models\/heart/),
      );
    }
    // Of a device it counts for the repositories of who said it, and so does a lifting.
    const ofDevice = await by("reviewer", put(device));
    await world.add(ofDevice);
    await world.add(await by("releaser", lift(ofDevice.digest, genesis)));
    const [, second] = await world.quarantines.list();
    assert.deepEqual([second?.repositories, second?.lifted], [["models/*"], null]);
  });

  test("a slip of the pen is refused: what nobody knows, and a lifting of something else", async () => {
    const unknown: readonly Quarantined[] = [
      { ...device, genesis: named("other") },
      { ...device, origin: origin.replace(/0$/, "7") },
      { ...segment, to: 41 },
      { ...segment, manifest: named("no segment") },
      { kind: "model", manifest: named("no model") },
    ];
    for (const what of unknown) {
      await assert.rejects(
        async () => world.add(await by("reviewer", put(what))),
        refused("not-found", /cannot be put under/),
      );
    }
    const stands = await by("reviewer", put(device));
    await world.add(stands);
    const wrong = async (statement: Statement) => world.add(await by("reviewer", statement));
    await assert.rejects(wrong(lift(named("nothing"), genesis)), refused("not-found", /no quarantine/));
    await assert.rejects(wrong(lift(stands.digest, model.manifest)), refused("bad-request", /is no quarantine of/));
    const lifting = await by("reviewer", lift(stands.digest, genesis));
    await world.add(lifting);
    await assert.rejects(wrong(lift(lifting.digest, genesis)), refused("bad-request", /is no quarantine of/));
  });

  test("a quarantined model is not released, and is again when that is lifted; a device gets the statements", async () => {
    await world.add(await by("reviewer", approval(model)));
    await world.add(await by("releaser", release(model, 1)));
    const stands = await by("reviewer", put(ofModel));
    await world.add(stands);
    const again = await by("releaser", release(model, 2));
    await assert.rejects(
      world.add(again),
      refused("policy-denied", /not-quarantined: quarantined by reviewer: drifted/),
    );
    const { statements } = await world.channels.resolve(channel, 0, await world.seal());
    assert.ok(statements.some(({ digest }) => digest === stands.digest));
    await world.add(await by("reviewer", lift(stands.digest, model.manifest)));
    await world.add(again);
  });

  test("the lineage of a model says what of it is under quarantine", async () => {
    await world.add(await by("reviewer", put(ofModel)));
    const lifted = await by("reviewer", put(ofModel, 5));
    await world.add(lifted);
    await world.add(await by("reviewer", lift(lifted.digest, model.manifest)));
    const { nodes } = await world.lineage.of(model.manifest);
    const detail = nodes.find(({ id }) => id === model.manifest)?.detail ?? "";
    assert.match(
      detail,
      /under quarantine for models\/\* by reviewer: drifted; was under quarantine by reviewer: drifted, lifted by/,
    );
  });
});
