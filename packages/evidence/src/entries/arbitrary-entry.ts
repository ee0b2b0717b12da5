// Arbitrary entries of every kind, for property tests.
import fc from "fast-check";
import { toHex } from "../bytes.ts";
import type { CborValue } from "../cbor/index.ts";
import { asHash, asLeafHash, asRootHash, digestFromHash } from "../digest.ts";
import type { KeySet, KeyType } from "../note/index.ts";
import type { EntryKindName, UnderstoodEntry } from "./entry.ts";
import { evidenceGrades, loadOutcomes } from "./load.ts";

const record = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(fields, { noNullPrototype: true });
const uint = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const hash = bytes32.map(asHash);
const leafHash = bytes32.map(asLeafHash);
const root = bytes32.map(asRootHash);
const digest = hash.map(digestFromHash);
const digestOrNull = fc.option(digest);
const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });
const name = text.filter((candidate) => !/[\s\p{Cc}+]/u.test(candidate));
const deviceId = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(toHex);
const keyId = fc.uint8Array({ minLength: 4, maxLength: 32 }).map(toHex);
const code = fc.nat({ max: 300 });
const salted = record({ commitment: hash, slot: uint });
const checkpoint = record({ size: uint, root, noteHash: hash });
const reference = record({ origin: name, index: uint, leaf: leafHash });
const loads = fc.array(record({ loadIndex: uint, count: uint, unloadIndex: fc.option(uint) }), { maxLength: 5 });
const values: fc.Arbitrary<CborValue> = fc.oneof(uint, fc.tuple(fc.maxSafeInteger(), fc.maxSafeInteger()), hash, text);
const codes = fc.uniqueArray(fc.tuple(code, values), { selector: ([k]) => k, maxLength: 4 }).map((e) => new Map(e));
const publicKey = (type: KeyType, length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => ({ type, publicKey: bytes }));
const keySet: fc.Arbitrary<KeySet> = fc.array(
  fc.oneof(publicKey(1, 32), publicKey(2, 91), publicKey(4, 32), publicKey(6, 1312)),
  { minLength: 1, maxLength: 3 },
);
const ascending = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 9000 })).map(([from, n]) => ({ from, to: from + n }));

const fieldsOf: Record<EntryKindName, Record<string, fc.Arbitrary<unknown>>> = {
  genesis: {
    version: fc.constant(1),
    deviceId,
    epoch: uint,
    keySet,
    plane: name,
    anchor: checkpoint,
    nonce: hash,
    predecessor: record({ mirroredSize: uint, mirroredRoot: root, orphanSize: uint, orphanRoot: root }),
  },
  restart: { tallyVersion: text, runtime: text, clean: fc.boolean(), previousRun: uint, closing: loads },
  load: {
    manifest: digestOrNull,
    files: fc.array(record({ digest, size: uint }), { maxLength: 4 }),
    runtime: text,
    provider: text,
    grade: fc.constantFrom(...evidenceGrades),
    permit: digestOrNull,
    outcome: fc.constantFrom(...loadOutcomes),
    reason: code,
    release: digest,
  },
  unload: { loadIndex: uint, reason: code },
  inference: {
    loadIndex: uint,
    ordinal: uint,
    input: salted,
    output: salted,
    parameters: codes,
    durationMicros: uint,
    captureLevel: fc.oneof(code, salted),
    parents: fc.array(reference, { maxLength: 3 }),
    retrievals: fc.array(salted, { maxLength: 3 }),
    usage: codes,
  },
  label: { origin: name, index: uint, leafHash, label: salted, who: keyId },
  summary: { runStart: uint, loads },
  anchor: { size: uint, root, noteHash: hash },
  gap: { atMost: uint, range: ascending, reason: code },
  segment: { range: ascending, artifact: digest },
  event: { code, fields: codes },
  statement: { envelope: digest, predicateType: text, subjects: fc.array(digest, { maxLength: 4 }) },
  heads: { fleetSize: uint, fleetRoot: root, n: uint, root },
  enrol: { deviceId, epoch: uint, origin: name, genesisHash: leafHash, keySet },
  keys: { origin: name, fromSize: uint, keySet },
  epoch: { deviceId, epoch: uint, origin: name, genesisHash: leafHash, keySet, statement: digest },
  revoke: { origin: fc.option(name), keyId, compromiseTime: fc.option(uint), statement: digest },
  decommission: { origin: name, statement: digestOrNull },
};

const optional = new Set(["predecessor", "release", "parameters", "parents", "retrievals", "usage"]);
/** Required in one kind and optional in another. */
const optionalIn: Partial<Record<EntryKindName, string>> = { epoch: "statement" };

export const entryKindNames = Object.keys(fieldsOf) as EntryKindName[];

export function arbitraryEntry(kind: EntryKindName): fc.Arbitrary<UnderstoodEntry> {
  const fields = fieldsOf[kind];
  const requiredKeys = Object.keys(fields).filter((name) => !optional.has(name) && optionalIn[kind] !== name);
  return fc
    .record(fields, { requiredKeys, noNullPrototype: true })
    .chain((values) => uint.map((time) => ({ kind, time, ...values })))
    .map(({ range, ...entry }: Record<string, unknown>): unknown => ({ ...entry, ...(range as object) }))
    .map((entry) => entry as UnderstoodEntry);
}
