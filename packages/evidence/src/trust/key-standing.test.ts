import assert from "node:assert/strict";
import { test } from "node:test";
import { generatePrivateKeyPem } from "#crypto";
import { utf8 } from "../bytes.ts";
import { type Digest, digestOf } from "../digest.ts";
import {
  type Envelope,
  keyRotationStatement,
  type Signer,
  signStatement,
  statementSignerFromPem,
} from "../statements/index.ts";
import { KeyStanding, type LoggedEnvelope, type PersonsRevocation, type TrustedIdentity } from "./index.ts";

const key = () => statementSignerFromPem(generatePrivateKeyPem("p-256"));
const [first, second, third, stranger] = [key(), key(), key(), key()];
const identityOf = (name: string, { identity }: Signer, more: object = {}): TrustedIdentity => ({
  name,
  ...identity,
  may: ["release"],
  repositories: ["heart/*"],
  ...more,
});
const retiresAt = 10_000;
const rotationOf = (old: Signer, next: Signer, at = retiresAt) =>
  keyRotationStatement({ oldKeyId: old.keyId, newKey: next.identity, retiresAt: at, reason: "a year has passed" });
const revokes = (
  { keyId }: Signer,
  statement: Digest,
  compromiseTime: number | null = retiresAt,
): PersonsRevocation => ({ keyId, compromiseTime, statement });
const elsewhere = digestOf(utf8("somebody's decision"));

/** A rotation that the fleet log carries out, logged as entry 7 between 4,000 and 5,000. */
function standing(
  envelope: Envelope,
  changes: {
    readonly identities?: readonly TrustedIdentity[];
    readonly others?: readonly PersonsRevocation[];
    readonly logged?: Partial<LoggedEnvelope>;
    readonly at?: number;
  } = {},
): KeyStanding {
  const { identities = [identityOf("releaser", first)], others = [], logged, at } = changes;
  const rotation = { envelope, index: 7, time: { notBeforeMs: 4000, atMs: 5000 }, ...logged };
  return new KeyStanding(
    { identities },
    [revokes(first, envelope.digest, at), ...others],
    new Map([[envelope.digest, rotation]]),
  );
}
const time = (atMs: number) => ({ notBeforeMs: atMs - 1000, atMs });

test("a key that both keys' holder put in another's place has its name and rights from that entry on", async () => {
  const known = standing(await signStatement(rotationOf(first, second), first, second));
  const next = known.identities[1]!;
  assert.deepEqual(
    [next.name, next.keyId, next.may, next.repositories],
    ["releaser", second.keyId, ["release"], ["heart/*"]],
  );
  assert.equal(known.whyNot(next, { time: time(20_000), index: 8 }), undefined);
  assert.deepEqual(known.refused, []);
});

test("what the old key signed counts where it is proven older than the day it retires", async () => {
  const known = standing(await signStatement(rotationOf(first, second), first, second));
  const old = known.identities[0]!;
  assert.equal(known.whyNot(old, { time: time(9_999), index: 9 }), undefined);
  assert.match(known.whyNot(old, { time: time(10_000), index: 9 })!, /revoked as of .*; it is proven by/);
  assert.match(known.whyNot(old, { time: {}, index: 9 })!, /no time is proven/);
});

test("attack: a rotation that only one of the two keys signed", async () => {
  for (const signers of [[first], [second], [first, stranger], [stranger, second]]) {
    const known = standing(await signStatement(rotationOf(first, second), ...signers));
    assert.deepEqual([known.identities.length, known.refused.length], [1, 1]);
    assert.match(known.refused[0]!.why, /have not both signed it/);
  }
});

test("attack: a signature with the new key from before it took the old one's place, or that nothing proves to be later", async () => {
  const known = standing(await signStatement(rotationOf(first, second), first, second));
  const next = known.identities[1]!;
  for (const index of [0, 6, 7]) {
    assert.match(known.whyNot(next, { time: time(3000), index })!, /took its place only at entry 7/);
  }
  assert.match(known.whyNot(next, { time: time(20_000) })!, /nothing proves that it was later/);
});

test("attack: a thief rotates a key that is revoked as of before the rotation to one of their own", async () => {
  const envelope = await signStatement(rotationOf(first, second), first, second);
  for (const since of [null, 4500, 5000]) {
    const known = standing(envelope, { others: [revokes(first, elsewhere, since)] });
    assert.equal(known.identities.length, 1, String(since));
    assert.match(known.refused[0]!.why, /the old key's signature does not count: releaser signed with a key/);
  }
  assert.equal(standing(envelope, { others: [revokes(first, elsewhere, 5001)] }).identities.length, 2);
});

test("attack: a key whose period is over, or has not begun, names another in its place", async () => {
  const envelope = await signStatement(rotationOf(first, second), first, second);
  for (const period of [{ until: 5000 }, { from: 4001 }]) {
    const known = standing(envelope, { identities: [identityOf("releaser", first, period)] });
    assert.deepEqual([known.identities.length, known.refused.length], [1, 1]);
  }
  const unproven = {
    logged: { time: { notBeforeMs: null } },
    identities: [identityOf("releaser", first, { from: 1 })],
  };
  assert.equal(standing(envelope, unproven).identities.length, 1);
});

test("attack: a rotation to somebody else's key, to take their place in an approval", async () => {
  const identities = [identityOf("releaser", first), identityOf("reviewer", second)];
  const known = standing(await signStatement(rotationOf(first, second), first, second), { identities });
  assert.deepEqual([known.identities.length, known.refused[0]?.why], [2, "the new key is reviewer's"]);
});

test("attack: a rotation of another key, or for another day, than the fleet log carries out", async () => {
  const another = standing(await signStatement(rotationOf(second, third), second, third));
  assert.match(another.refused[0]!.why, /about another key/);
  const later = standing(await signStatement(rotationOf(first, second), first, second), { at: 99_000 });
  assert.match(later.refused[0]!.why, /names another time/);
});

test("a key that took another's place goes on with a third, and its own revocation ends it", async () => {
  const one = await signStatement(rotationOf(first, second), first, second);
  const two = await signStatement(rotationOf(second, third, 20_000), second, third);
  const at = (envelope: Envelope, index: number, ms: number): [Digest, LoggedEnvelope] => [
    envelope.digest,
    { envelope, index, time: time(ms) },
  ];
  const chain = [revokes(first, one.digest), revokes(second, two.digest, 20_000)];
  const trust = { identities: [identityOf("releaser", first)] };
  const known = (index: number, more: readonly PersonsRevocation[] = []) =>
    new KeyStanding(trust, [...chain, ...more], new Map([at(one, 7, 5000), at(two, index, 9000)]));
  assert.deepEqual(
    known(12).identities.map(({ keyId }) => keyId),
    [first.keyId, second.keyId, third.keyId],
  );
  // A rotation that the second key signed before it was anybody's.
  assert.equal(known(5).identities.length, 2);
  const ended = known(12, [revokes(third, elsewhere, null)]);
  assert.match(ended.whyNot(ended.identities[2]!, { time: time(30_000), index: 40 })!, /revoked for all/);
  assert.equal(ended.revokedSince(third), null);
});

test("of two revocations of one key the stricter holds, whatever their order", () => {
  const trust = { identities: [identityOf("releaser", first)] };
  for (const times of [
    [9000, 5000],
    [5000, 9000],
  ]) {
    const known = new KeyStanding(
      trust,
      times.map((at) => revokes(first, elsewhere, at)),
      new Map(),
    );
    assert.equal(known.revokedSince(first), 5000);
    assert.notEqual(known.whyNot(known.identities[0]!, { time: time(6000), index: 1 }), undefined);
  }
});
