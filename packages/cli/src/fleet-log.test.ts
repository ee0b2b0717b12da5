import assert from "node:assert/strict";
import { test } from "node:test";
import {
  asHash,
  encodeEntry,
  encodeEntryBundle,
  Frontier,
  formatNote,
  formatVkey,
  generatePrivateKeyPem,
  hashLeaf,
  noteSignerFromPem,
  parseCheckpoint,
  parseTrust,
  sha256,
  signCheckpoint,
  type Trust,
  utf8,
} from "@tally/evidence";
import { keysAtSize, keysNotReplacedAt, readFleet } from "./fleet-log.ts";

const plane = "tally.example/plane";
const signer = (name: string, type: 1 | 4) => noteSignerFromPem(name, type, generatePrivateKeyPem("ed25519"));
const fleet = signer(`${plane}/fleet`, 1);
const log = signer(`${plane}/log`, 1);
const witness = signer("witness.example", 4);

function trustWith(policy: string): Trust {
  const keys = { name: plane, log: [formatVkey(log.key)], fleet: [formatVkey(fleet.key)] };
  return parseTrust(
    JSON.stringify({ format: "tally-trust/v1", plane: keys, policy, requiredAlgorithms: ["ed25519"], identities: [] }),
  );
}
const witnessed = trustWith(`witness w1 ${formatVkey(witness.key)}\nquorum w1\n`);

const deviceId = "0123456789abcdef0123456789abcdef";
const origin = `${plane}/d/${deviceId}/0`;
const keySet = [{ type: fleet.key.type, publicKey: fleet.key.publicKey }];
const enrolment = encodeEntry({
  kind: "enrol",
  time: 1,
  deviceId,
  epoch: 0,
  origin,
  genesisHash: hashLeaf(utf8("genesis")),
  keySet,
});
const first = encodeEntry({ kind: "keys", time: 1, origin: plane, fromSize: 0, keySet });

async function served(entries: readonly Uint8Array[], { cosigned = true, offered = entries } = {}) {
  const tree = Frontier.empty();
  for (const entry of entries) tree.append(hashLeaf(entry));
  const checkpoint = { origin: `${plane}/fleet`, size: tree.size, root: tree.root() };
  const { note } = parseCheckpoint(utf8(await signCheckpoint(checkpoint, [fleet], 1)));
  const cosignature = await witness.sign(checkpoint, 1_800_000_000);
  const complete = formatNote(note.text, [...note.signatures, ...(cosigned ? [cosignature] : [])]);
  return {
    bytes: async (path: string) => (path === "/fleet/checkpoint" ? utf8(complete) : encodeEntryBundle([...offered])),
  };
}

test("admissions are found by origin, once the log is verified", async () => {
  const admissions = await readFleet(await served([first, enrolment]), witnessed);
  assert.deepEqual([...admissions.keys()], [origin]);
  assert.deepEqual(admissions.get(origin)?.genesisHash, hashLeaf(utf8("genesis")));
});

test("entries that the checkpoint was not signed over are refused", async () => {
  const forged = encodeEntry({
    kind: "enrol",
    time: 1,
    deviceId,
    epoch: 0,
    origin,
    genesisHash: asHash(sha256(utf8("the attacker's"))) as ReturnType<typeof hashLeaf>,
    keySet,
  });
  await assert.rejects(readFleet(await served([first, enrolment], { offered: [first, forged] }), witnessed), {
    code: "proof-invalid",
  });
  await assert.rejects(readFleet(await served([first, enrolment], { offered: [first] }), witnessed), {
    code: "proof-invalid",
  });
});

test("a checkpoint without the witness quorum is refused where the trust file asks for one", async () => {
  await assert.rejects(readFleet(await served([first, enrolment], { cosigned: false }), witnessed), {
    code: "signature-missing",
  });
  const alone = await readFleet(await served([first, enrolment], { cosigned: false }), trustWith("quorum none\n"));
  assert.equal(alone.size, 1);
});

test("a fleet log of another plane's keys is refused", async () => {
  const other = signer(`${plane}/fleet`, 1);
  const stranger = parseTrust(
    JSON.stringify({
      format: "tally-trust/v1",
      plane: { name: plane, log: [formatVkey(log.key)], fleet: [formatVkey(other.key)] },
      policy: "quorum none\n",
      requiredAlgorithms: ["ed25519"],
      identities: [],
    }),
  );
  await assert.rejects(readFleet(await served([first, enrolment]), stranger), { name: "EvidenceError" });
});

test("keys that were rotated are found by size, and by the time until which the ones before could speak", async () => {
  const next = [{ type: log.key.type, publicKey: log.key.publicKey }];
  const rotated = encodeEntry({ kind: "keys", time: 50, origin, fromSize: 10, keySet: next });
  const admission = (await readFleet(await served([first, enrolment, rotated]), witnessed)).get(origin)!;
  assert.deepEqual(keysAtSize(admission, 9), keySet);
  assert.deepEqual(keysAtSize(admission, 10), next);
  assert.deepEqual(keysNotReplacedAt(admission, 49), [keySet, next]);
  assert.deepEqual(keysNotReplacedAt(admission, 51), [next]);
});

test("attack: a fleet log that replaces keys after the fact, or gives keys to nobody, is refused", async () => {
  const rotated = (fromSize: number, of = origin) =>
    encodeEntry({ kind: "keys", time: 50, origin: of, fromSize, keySet });
  for (const entries of [
    [first, enrolment, rotated(10), rotated(10)],
    [first, enrolment, rotated(0)],
    [first, enrolment, rotated(10, `${plane}/d/${deviceId}/1`)],
  ]) {
    await assert.rejects(readFleet(await served(entries), witnessed), { code: "proof-invalid" });
  }
});
