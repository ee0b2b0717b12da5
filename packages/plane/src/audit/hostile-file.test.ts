import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  type Bundle,
  type BundleMember,
  deviceEntryMember,
  entriesMember,
  formatNote,
  formatVkey,
  generatePrivateKeyPem,
  type Member,
  type MemberType,
  memberTypes,
  noteSignerFromPem,
  parseCheckpoint,
  parseDeviceEntry,
  parseEntries,
  parseTrust,
  type Question,
  type Report,
  readBundle,
  signCheckpoint,
  utf8,
  verifyBundle,
} from "@tally/evidence";
import fc from "fast-check";
import { answer } from "./answer.ts";
import { AnswerWorld, type TestDevice } from "./answer-world.ts";
import { explain, failed, repaired } from "./judgement.ts";

const hour = 3_600_000;

describe("a file made by a carrier", () => {
  let world: AnswerWorld;
  let stranger: AnswerWorld;
  let devices: TestDevice[];
  let records: Bundle;
  let receipt: Bundle;
  let foreign: Bundle;
  let truth: Report;
  const question: Question = { kind: "records", model: null, from: 1, to: Date.UTC(2027, 0), devices: null };
  const verify = (bundle: Uint8Array) => verifyBundle({ bundle, trust: world.trust });
  const of = (bundle: Bundle, type: MemberType) => bundle.members.filter((member) => member.type === type);

  before(async () => {
    world = await AnswerWorld.create();
    const model = await world.publish("first");
    await world.seal();
    devices = [await world.enrol(), await world.enrol()];
    for (let round = 0; round < 3; round += 1) {
      world.pass(hour);
      for (const device of devices) {
        if (round === 0) await world.load(device, model);
        for (let i = 0; i < 3; i += 1) await world.infer(device);
        await world.sync(device);
      }
    }
    records = await readBundle(await answer(world, question));
    receipt = await readBundle(await answer(world, { kind: "record", origin: devices[0]!.origin, index: 3 }));
    truth = await verify(repaired(records, (all) => all));
    stranger = await AnswerWorld.create();
    await stranger.publish("first");
    const other = await stranger.enrol();
    await stranger.sync(other);
    foreign = await readBundle(await answer(stranger, question));
  });
  after(() => Promise.all([world.destroy(), stranger.destroy()]));

  test("is honest to begin with", async () => {
    assert.equal(explain(truth), "");
    assert.equal(explain(await verify(repaired(receipt, (all) => all))), "");
    assert.equal(truth.answer?.records.length, 18);
  });

  test("attack: members dropped, doubled from elsewhere or altered, in any number: never another answer", async () => {
    const pick = (bundle: Bundle) => fc.subarray([...bundle.members], { minLength: 1, maxLength: 3 });
    const answerOf = ({ answer: a }: Report) => a?.records.map(({ origin, index, model }) => [origin, index, model]);
    for (const whole of [records, receipt]) {
      const expected = answerOf(await verify(repaired(whole, (all) => all)));
      await fc.assert(
        fc.asyncProperty(
          pick(whole),
          pick(foreign),
          fc.nat(),
          fc.constantFrom("drop", "add", "swap"),
          async (out, other, at, how) => {
            const change = (all: readonly Member[]): readonly Member[] => {
              if (how === "add") return [...all, ...other];
              const kept = all.filter((member) => !out.includes(member as BundleMember));
              return how === "drop"
                ? kept
                : [...kept, ...out.map(({ type, bytes }) => ({ type, bytes: flip(bytes, at) }))];
            };
            let file: Uint8Array;
            try {
              file = repaired(whole, change);
            } catch {
              return; // no member of its type any more, so no bundle can be made of it
            }
            const report = await verify(file);
            if (report.outcome === "good") assert.deepEqual(answerOf(report), expected);
          },
        ),
        { numRuns: 60 },
      );
    }
  });

  test("attack: any question put over the evidence of another one", async () => {
    const origin = fc.constantFrom(...devices.map((device) => device.origin), "plane.test/log", "");
    const ids = devices.map(({ id }) => id).sort();
    const asked: fc.Arbitrary<Question> = fc.oneof(
      fc.record({ kind: fc.constant("record" as const), origin, index: fc.nat(20) }),
      fc.record({
        kind: fc.constant("records" as const),
        model: fc.constant(null),
        from: fc.constantFrom(1, Date.UTC(2026, 0, 1, 2), Date.UTC(2026, 6)),
        to: fc.constantFrom(Date.UTC(2026, 0, 1, 3), Date.UTC(2026, 8), 8.64e15),
        devices: fc.constantFrom(null, ids, ids.slice(0, 1), ["f".repeat(32)]),
      }),
    );
    await fc.assert(
      fc.asyncProperty(asked, async (other) => {
        if (other.kind !== "record" && other.from >= other.to) return;
        for (const whole of [records, receipt]) {
          const report = await verify(repaired({ ...whole, question: other }, (all) => all));
          assert.notEqual(report.checks.at(-1)?.name, "verification");
          if (report.outcome !== "good" || other.kind !== "record") continue;
          assert.equal(report.answer?.records.length, 1);
          assert.equal(report.answer?.records[0]?.index, other.index);
        }
      }),
      { numRuns: 40 },
    );
  });

  test("one member left out makes an answer unproven, never wrong", async () => {
    for (const whole of [records, receipt]) {
      for (const member of whole.members) {
        const report = await verify(repaired(whole, (all) => all.filter((other) => other !== member)));
        if (report.outcome === "bad") assert.deepEqual(failed(report), ["nothing unused"], `type ${member.type}`);
      }
    }
  });

  test("attack: one ledger's entries put forward as another's", async () => {
    const [a, b] = devices.map(({ origin }) => origin);
    const other = (origin: string) => (origin === a ? b! : a!);
    const swapped = repaired(records, (all) =>
      all.map((member) => {
        if (member.type !== memberTypes.entries) return member;
        const slice = parseEntries(member.bytes);
        return slice.origin === a || slice.origin === b
          ? entriesMember({ ...slice, origin: other(slice.origin) })
          : member;
      }),
    );
    assert.deepEqual(failed(await verify(swapped)), ["entries"]);
    const single = repaired(receipt, (all) =>
      all.map((member) => {
        if (member.type !== memberTypes.deviceEntry) return member;
        const { origin, ...proven } = parseDeviceEntry(member.bytes);
        return deviceEntryMember(other(origin), proven);
      }),
    );
    assert.equal((await verify(single)).outcome, "not proven");
  });

  test("attack: signature lines added to the plane's checkpoint, or told twice", async () => {
    const [note] = of(records, memberTypes.planeCheckpoint);
    const { note: parsed, checkpoint } = parseCheckpoint(note!.bytes);
    const nobody = noteSignerFromPem("nobody.test/w", 4, generatePrivateKeyPem("ed25519"));
    const withLines = async (signatures: typeof parsed.signatures) =>
      await verify(
        repaired(records, (all) =>
          all.map(({ type, bytes }) => ({
            type,
            bytes: bytes === note!.bytes ? utf8(formatNote(parsed.text, signatures)) : bytes,
          })),
        ),
      );
    const line = await nobody.sign(checkpoint, 1);
    assert.match(explain(await withLines([...parsed.signatures, line])), /whose key the trust file does not know/);
    assert.match(explain(await withLines([...parsed.signatures, parsed.signatures[0]!])), /stands twice/);
    assert.match(explain(await withLines(parsed.signatures.slice(1))), /plane checkpoint/);
    assert.match(explain(await withLines(parsed.signatures.slice(0, -1))), /witness quorum/);
  });

  test("attack: the plane's checkpoints without a link of their chain, or of two histories", async () => {
    const chain = of(records, memberTypes.consistency).filter(({ place }) => place.origin === world.log.origin);
    assert.ok(chain.length > 1);
    for (const link of chain) {
      const report = await verify(repaired(records, (all) => all.filter((member) => member !== link)));
      assert.deepEqual(failed(report), ["plane consistency"]);
      assert.equal(report.outcome, "not proven");
    }
  });

  test("times that no date can be are refused, and ages are held to the clock that is given", async () => {
    const bundle = repaired(records, (all) => all);
    const aged = { ...world.trust, maximumAgeSeconds: 60 };
    const at = async (now: number | undefined) =>
      failed(await verifyBundle({ bundle, trust: aged, ...(now === undefined ? {} : { now }) }));
    assert.deepEqual(await at(world.nowMs), []);
    assert.deepEqual(await at(world.nowMs + hour), ["age"]);
    assert.deepEqual(await at(world.nowMs - hour), ["age"]);
    assert.deepEqual(await at(undefined), []);
  });

  test("attack: a plane without witnesses that states no time does not pass for a young one", async () => {
    const pems = [generatePrivateKeyPem("ed25519"), generatePrivateKeyPem("ml-dsa-44")] as const;
    const signers = (name: string) => [noteSignerFromPem(name, 1, pems[0]), noteSignerFromPem(name, 6, pems[1])];
    const [log, fleet] = [signers("plane.test/log"), signers("plane.test/fleet")];
    const file = JSON.parse(new TextDecoder().decode(world.trustFile)) as object;
    const trust = parseTrust(
      JSON.stringify({
        ...file,
        plane: {
          name: "plane.test",
          log: log.map(({ key }) => formatVkey(key)),
          fleet: fleet.map(({ key }) => formatVkey(key)),
        },
        policy: "quorum none\n",
        maximumAgeSeconds: 60,
      }),
    );
    const { checkpoint } = parseCheckpoint(of(records, memberTypes.planeCheckpoint).at(-1)!.bytes);
    for (const [seconds, expected] of [
      [0, /age .*nobody states a time/],
      [8.64e12, /plane checkpoint .*no date can be/],
    ] as const) {
      const bytes = utf8(await signCheckpoint(checkpoint, log, seconds));
      const bundle = repaired(records, () => [{ type: memberTypes.planeCheckpoint, bytes }]);
      assert.match(explain(await verifyBundle({ bundle, trust, now: Date.UTC(2026, 0) })), expected);
    }
  });

  test("attack: the same bytes under another type do not stand in the way of what they are", async () => {
    const [note] = of(records, memberTypes.deviceCheckpoint);
    const changed = repaired(records, (all) => [...all, { type: memberTypes.blob, bytes: note!.bytes }]);
    assert.deepEqual(failed(await verify(changed)), ["nothing unused"]);
  });

  test("nothing that a file holds makes verification throw", async () => {
    const types = Object.values(memberTypes);
    const junk = fc.record({ type: fc.constantFrom(...types), bytes: fc.uint8Array({ maxLength: 40 }) });
    const anything = fc.array(fc.oneof(fc.constantFrom<Member>(...records.members, ...foreign.members), junk), {
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(anything, fc.nat(), async (members, at) => {
        let file: Uint8Array;
        try {
          file = repaired(records, () => members);
        } catch {
          file = flip(
            repaired(records, (all) => all),
            at,
          );
        }
        assert.notEqual((await verify(file)).outcome, "good");
      }),
      { numRuns: 150 },
    );
  });
});

function flip(bytes: Uint8Array, at: number): Uint8Array {
  const changed = bytes.slice();
  if (changed.length > 0) changed[at % changed.length]! ^= 1 << (at % 8);
  return changed;
}
