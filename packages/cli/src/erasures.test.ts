import assert from "node:assert/strict";
import { test } from "node:test";
import {
  encodeEntry,
  erasureStatement,
  erasureType,
  Frontier,
  formatVkey,
  generatePrivateKeyPem,
  hashLeaf,
  type KeySet,
  noteSignerFromPem,
  parseTrust,
  signCheckpoint,
  signStatement,
  statementSignerFromPem,
  toBase64,
  utf8,
} from "@tally/evidence";
import { readErasures } from "./erasures.ts";
import type { Admission } from "./fleet-log.ts";

const plane = "tally.example/plane";
const deviceId = "0123456789abcdef0123456789abcdef";
const origin = `${plane}/d/${deviceId}/0`;
const [log, fleet] = ["log", "fleet"].map((name) =>
  noteSignerFromPem(`${plane}/${name}`, 1, generatePrivateKeyPem("ed25519")),
) as [ReturnType<typeof noteSignerFromPem>, ReturnType<typeof noteSignerFromPem>];
const trust = parseTrust(
  JSON.stringify({
    format: "tally-trust/v1",
    plane: { name: plane, log: [formatVkey(log.key)], fleet: [formatVkey(fleet.key)] },
    policy: "quorum none\n",
    requiredAlgorithms: ["ed25519"],
    identities: [],
  }),
);
const pems = { old: generatePrivateKeyPem("ed25519"), next: generatePrivateKeyPem("ed25519") };
const genesisHash = hashLeaf(utf8("genesis"));

function keySetOf(pem: string): KeySet {
  const { key } = noteSignerFromPem(origin, 1, pem);
  return [{ type: key.type, publicKey: key.publicKey }];
}

/** Keys were rotated at time 50. */
const rotated: Admission = {
  kind: "enrol",
  time: 1,
  deviceId,
  epoch: 0,
  origin,
  genesisHash,
  keySet: keySetOf(pems.old),
  keySets: [
    { fromSize: 0, since: 1, keySet: keySetOf(pems.old) },
    { fromSize: 10, since: 50, keySet: keySetOf(pems.next) },
  ],
};

/** Reads one erasure, signed by a key of the device, that the plane's log took at that time. */
async function erasedBy(pem: string, time: number) {
  const erasure = { origin, records: [{ index: 3, leaf: genesisHash }], keystore: "file", segments: [] } as const;
  const envelope = await signStatement(erasureStatement(erasure), statementSignerFromPem(pem));
  const { digest } = envelope;
  const entry = encodeEntry({ kind: "statement", time, envelope: digest, predicateType: erasureType, subjects: [] });
  const tree = Frontier.empty();
  tree.append(hashLeaf(entry));
  const checkpoint = await signCheckpoint({ origin: `${plane}/log`, size: 1, root: tree.root() }, [log], 1);
  const proof = { index: 0, size: 1, entry: toBase64(entry), proof: [], checkpoint };
  const client = {
    get: async <T>(path: string) => (path.endsWith("/proof") ? proof : { statements: [{ digest }] }) as T,
    bytes: async () => envelope.bytes,
  };
  return readErasures(client, trust, new Map([[origin, rotated]]));
}

test("an erasure holds by the keys that the device had when it was logged, before a rotation and after it", async () => {
  assert.equal((await erasedBy(pems.old, 40)).length, 1);
  assert.equal((await erasedBy(pems.next, 60)).length, 1);
});

test("attack: an erasure logged after a rotation under the keys that were replaced is refused", async () => {
  await assert.rejects(erasedBy(pems.old, 60), { name: "EvidenceError", code: "signature-missing" });
  await assert.rejects(erasedBy(generatePrivateKeyPem("ed25519"), 60), { code: "signature-missing" });
});
