import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type CborMap, type CborValue, decodeCbor, encodeCbor } from "../cbor/index.ts";
import { asHash, digestFromHash } from "../digest.ts";
import { arbitraryEntry, entryKindNames } from "./arbitrary-entry.ts";
import { decodeEntry, type Entry, encodeEntry, entryKindCodes, type LoadCount, maxEntryBytes } from "./index.ts";

const hash = asHash(new Uint8Array(32).fill(9));
const digest = digestFromHash(hash);
const refuses = (map: readonly (readonly [number | string, CborValue])[], why: RegExp) =>
  assert.throws(() => decodeEntry(encodeCbor(new Map(map))), { code: "entry-invalid", message: why });

for (const kind of entryKindNames) {
  test(`every ${kind} entry comes back as it was, frozen, from bytes that are its only form`, () => {
    fc.assert(
      fc.property(arbitraryEntry(kind), (entry) => {
        const bytes = encodeEntry(entry);
        const decoded = decodeEntry(bytes);
        assert.deepEqual(decoded, entry);
        assert.ok(Object.isFrozen(decoded));
        assert.deepEqual(encodeEntry(decoded), bytes);
        assert.equal((decodeCbor(bytes) as CborMap).get(0), entryKindCodes[kind]);
      }),
    );
  });

  test(`a ${kind} entry without one of its required keys is refused by name`, () => {
    fc.assert(
      fc.property(arbitraryEntry(kind), fc.nat(), (entry, at) => {
        const map = new Map(decodeCbor(encodeEntry(entry)) as CborMap);
        const key = [...map.keys()][at % map.size] as number;
        map.delete(key);
        const optional =
          (kind === "genesis" && key === 9) || (kind === "load" && key === 10) || (kind === "epoch" && key === 7);
        const ofInference = kind === "inference" && [6, 9, 10, 11].includes(key);
        if (optional || ofInference) assert.equal(decodeEntry(encodeCbor(map)).kind, kind);
        else refuses([...map], new RegExp(`key ${key} \\(.*found nothing`));
      }),
      { numRuns: 30 },
    );
  });

  test(`a ${kind} entry with a value of the wrong type is refused`, () => {
    fc.assert(
      fc.property(arbitraryEntry(kind), fc.nat(), (entry, at) => {
        const map = new Map(decodeCbor(encodeEntry(entry)) as CborMap);
        const key = [...map.keys()][at % map.size] as number;
        map.set(key, typeof map.get(key) === "boolean" ? 7 : true);
        refuses([...map], new RegExp(`key ${key} \\(`));
      }),
      { numRuns: 30 },
    );
  });

  test(`unknown keys of a ${kind} entry are ignored from 0 on and critical below`, () => {
    fc.assert(
      fc.property(arbitraryEntry(kind), fc.nat(), (entry, key) => {
        const map = decodeCbor(encodeEntry(entry)) as CborMap;
        const later = encodeCbor(new Map([...map, [100 + key, ["later", 1]]]));
        assert.deepEqual(decodeEntry(later), entry);
        const critical = decodeEntry(encodeCbor(new Map([...map, [-1 - key, null]])));
        assert.equal(critical.kind, "not-understood");
        assert.ok(critical.kind === "not-understood" && critical.code === entryKindCodes[kind]);
      }),
      { numRuns: 30 },
    );
  });
}

test("an entry of an unknown kind is not understood, and keeps its bytes", () => {
  const bytes = encodeCbor(
    new Map<number, CborValue>([
      [0, 4711],
      [2, [hash]],
    ]),
  );
  const entry = decodeEntry(bytes);
  assert.ok(entry.kind === "not-understood");
  assert.equal(entry.code, 4711);
  assert.match(entry.reason, /kind 4711 is unknown/);
  assert.deepEqual(encodeEntry(entry), bytes);
});

test("what is not a map with an unsigned kind and integer keys is no entry", () => {
  assert.throws(() => decodeEntry(encodeCbor([5, 0])), { code: "entry-invalid", message: /a CBOR map/ });
  refuses([], /key 0 \(kind\).*found nothing/);
  refuses([[0, -1]], /key 0 \(kind\)/);
  refuses([[0, "inference"]], /key 0 \(kind\)/);
  refuses(
    [
      [0, 8],
      ["note", 1],
    ],
    /key "note" is not an integer/,
  );
  assert.throws(() => decodeEntry(Uint8Array.of(0xff)), { code: "cbor-invalid" });
});

test("errors name the place", () => {
  const load = (files: CborValue) =>
    new Map<number, CborValue>([
      [0, 3],
      [1, 0],
      [2, null],
      [3, files],
    ]);
  refuses(
    [...load([[hash, -1]])],
    /^load entry: key 3 \(files\), item 0 size: expected an unsigned integer, found -1$/,
  );
  refuses([...load([[hash]])], /^load entry: key 3 \(files\), item 0: expected \[digest, size\], found a list of 1$/);
  refuses([...load([[new Uint8Array(31), 1]])], /item 0 digest: expected 32 bytes, found 31 bytes$/);
});

test("a key set needs a key, and each key has the length of its type", () => {
  const keys = (keySet: CborValue) =>
    new Map<number, CborValue>([
      [0, 49],
      [1, 0],
      [2, "plane/d/00/0"],
      [3, 1],
      [4, keySet],
    ]);
  assert.equal(decodeEntry(encodeCbor(keys([[1, hash]]))).kind, "keys");
  refuses([...keys([])], /key 4 \(key set\): expected at least one key/);
  refuses([...keys([[3, hash]])], /item 0 type: expected a signature type: 1, 2, 4 or 6, found 3/);
  refuses([...keys([[6, hash]])], /item 0 public key: expected 1312 bytes, found 32 bytes/);
});

test("a summary of 2,048 loads fits into an entry, and one more is refused", () => {
  const loads = Array.from({ length: 2048 }, (_, i): LoadCount => {
    return { loadIndex: 2 ** 40 + i, count: 2 ** 40, unloadIndex: 2 ** 41 };
  });
  const summary = { kind: "summary", time: Date.UTC(2030, 0), runStart: 2 ** 40, loads } as const;
  const bytes = encodeEntry(summary);
  assert.ok(bytes.length <= maxEntryBytes);
  assert.deepEqual(decodeEntry(bytes), summary);
  const tooMany = { ...summary, loads: [...loads, { loadIndex: 1, count: 1, unloadIndex: null }] };
  assert.throws(() => encodeEntry(tooMany), { code: "entry-invalid", message: /at most 2048/ });
});

test("an entry of more than 65,535 bytes is refused on both sides", () => {
  const entry: Entry = { kind: "event", time: 0, code: 1, fields: new Map([[0, new Uint8Array(65_535)]]) };
  assert.throws(() => encodeEntry(entry), { code: "entry-too-large", message: /65,?535/ });
  assert.throws(() => decodeEntry(new Uint8Array(65_536)), { code: "entry-too-large" });
  const fits: Entry = { ...entry, fields: new Map([[0, new Uint8Array(65_535 - 13)]]) };
  assert.equal(encodeEntry(fits).length, maxEntryBytes);
});

test("long lists are named by the digest of a stored blob", () => {
  const statement = { kind: "statement", time: 0, envelope: digest, predicateType: "urn:x" } as const;
  const entry: Entry = { ...statement, subjects: [], subjectsBlob: digest };
  assert.deepEqual(decodeEntry(encodeEntry(entry)), entry);
  const tooMany: Entry = { ...statement, subjects: Array.from({ length: 513 }, () => digest) };
  assert.throws(() => encodeEntry(tooMany), { code: "entry-invalid", message: /at most 512/ });
});

test("values that the reader would refuse are not written", () => {
  const anchor = { kind: "anchor", time: 1, size: 1, root: hash, noteHash: hash } as Entry;
  assert.throws(() => encodeEntry({ ...anchor, size: -1 } as Entry), { code: "entry-invalid", message: /\(size\)/ });
  assert.throws(() => encodeEntry({ ...anchor, time: 1.5 } as Entry), { code: "cbor-invalid" });
  assert.throws(() => encodeEntry({ ...anchor, root: new Uint8Array(31) } as unknown as Entry), {
    code: "entry-invalid",
    message: /\(root\): expected 32 bytes/,
  });
  assert.throws(() => encodeEntry({ kind: "novel", time: 0 } as unknown as Entry), { message: /called novel/ });
  const segment = { kind: "segment", time: 0, from: 5, to: 5, artifact: digest } as const;
  assert.throws(() => encodeEntry(segment), { message: /an index above 5/ });
});
