import assert from "node:assert/strict";
import { test } from "node:test";
import { generatePrivateKeyPem } from "../crypto/node.ts";
import { asLeafHash } from "../digest.ts";
import { type Entry, encodeEntry } from "../entries/index.ts";
import { formatVkey, noteSignerFromPem } from "../note/index.ts";
import { parseTrust } from "../trust/index.ts";
import { keySetAt, readFleet } from "./fleet-entries.ts";

const plane = "plane.test";
const pem = generatePrivateKeyPem("ed25519");
const vkey = (name: string) => formatVkey(noteSignerFromPem(`${plane}/${name}`, 1, pem).key);
const trust = parseTrust(
  JSON.stringify({
    format: "tally-trust/v1",
    plane: { name: plane, log: [vkey("log")], fleet: [vkey("fleet")] },
    policy: "quorum none\n",
    requiredAlgorithms: ["ed25519"],
    identities: [],
  }),
);
const { type, publicKey } = trust.plane.log[0]!;
const own: Entry = { kind: "keys", time: 0, origin: plane, fromSize: 0, keySet: [{ type, publicKey }] };
const keysOf = (byte: number) => [{ type: 1 as const, publicKey: new Uint8Array(32).fill(byte) }];
const deviceId = "ab".repeat(16);
const origin = `${plane}/d/${deviceId}/0`;
const genesisHash = asLeafHash(new Uint8Array(32));
const enrol: Entry = { kind: "enrol", time: 0, deviceId, epoch: 0, origin, genesisHash, keySet: keysOf(1) };
const epoch = (number: number): Entry => ({
  ...(enrol as Entry & { kind: "enrol" }),
  kind: "epoch",
  epoch: number,
  origin: `${plane}/d/${deviceId}/${number}`,
});
const revoke = (of: string | null, compromiseTime: number | null): Entry => ({
  kind: "revoke",
  time: 0,
  origin: of,
  keyId: "00112233",
  compromiseTime,
  statement: `sha256:${"0".repeat(64)}` as never,
});
const read = (...entries: readonly Entry[]) => readFleet(entries.map(encodeEntry), trust);
const refuses = (message: RegExp, ...entries: readonly Entry[]) =>
  assert.throws(() => read(...entries), { code: "proof-invalid", message });

test("the fleet log begins with the plane's own keys as the trust file has them", () => {
  assert.equal(read(own).enrolments.size, 0);
  refuses(/not the plane's own key set/, enrol);
  refuses(/not the plane's own key set/, { ...own, origin: "other.test" } as Entry);
  refuses(/names other keys/, { ...own, keySet: keysOf(9) } as Entry);
  refuses(/names other keys/, { ...own, keySet: [{ type, publicKey }, ...keysOf(9)] } as Entry);
});

test("a ledger is named after its device and epoch, and admitted once", () => {
  assert.deepEqual([...read(own, enrol, epoch(1), epoch(4)).enrolments.keys()].length, 3);
  refuses(/a second time/, own, enrol, enrol);
  refuses(/not the name of epoch/, own, { ...enrol, origin: `${plane}/d/${deviceId}/1` } as Entry);
  refuses(/not the name of epoch/, own, { ...enrol, origin: `${plane}/log` } as Entry);
  refuses(/begins epoch 1 .*after none/, own, epoch(1));
  refuses(/begins epoch 1 .*after 1/, own, enrol, epoch(1), epoch(1));
});

test("key sets follow one another, and only for ledgers that were admitted", () => {
  const keys = (fromSize: number, of = origin): Entry => ({
    kind: "keys",
    time: 0,
    origin: of,
    fromSize,
    keySet: keysOf(2),
  });
  const enrolment = read(own, enrol, keys(10)).enrolments.get(origin)!;
  assert.deepEqual(keySetAt(enrolment, 9), keysOf(1));
  assert.deepEqual(keySetAt(enrolment, 10), keysOf(2));
  refuses(/after the fact/, own, enrol, keys(0));
  refuses(/after the fact/, own, enrol, keys(10), keys(10));
  refuses(/never admitted/, own, keys(1));
});

test("of several revocations the strictest holds, whatever their order", () => {
  const times = [[5, 9], [9, 5], [5, null], [null, 9]] as const; // biome-ignore format: pairs
  for (const [one, other] of times) {
    const expected = one === null || other === null ? null : Math.min(one, other);
    const { enrolments, revokedKeys } = read(
      own,
      enrol,
      revoke(origin, one),
      revoke(origin, other),
      revoke(null, one),
      revoke(null, other),
    );
    assert.equal(enrolments.get(origin)!.revoked?.compromiseTime, expected);
    assert.equal(revokedKeys.get("00112233")?.compromiseTime, expected);
  }
});

test("what has no place in a fleet log is refused, and what is not understood is kept in mind", () => {
  refuses(/has no place/, own, { kind: "gap", time: 0, atMost: 0, from: 0, to: 0, reason: 0 });
  const unknown = Uint8Array.of(0xa2, 0x00, 0x18, 0xc8, 0x01, 0x01);
  assert.equal(readFleet([encodeEntry(own), unknown], trust).notUnderstood[0]?.index, 1);
  assert.ok(
    read(own, enrol, { kind: "decommission", time: 0, origin, statement: null }).enrolments.get(origin)?.decommissioned,
  );
});
