import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareBytes, equalBytes } from "../bytes.ts";
import { encodeCbor } from "../cbor/index.ts";
import { asHash, digestFromHash, type Hash, sha256 } from "../digest.ts";
import {
  BundleDamage,
  bundleFormat,
  consistencyMember,
  deviceEntryMember,
  entriesMember,
  headsLeafMember,
  headsLeavesMember,
  type Member,
  memberTypes,
  planeEntryMember,
  type Question,
  questionFromCbor,
  questionToCbor,
  rangeProofMember,
  readBundle,
  sameQuestion,
  writeBundle,
} from "./index.ts";
import { memberHead } from "./layout.ts";

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(asHash);
const proof = fc.array(hash, { maxLength: 4 });
const origin = fc.constantFrom("plane.test/log", "plane.test/d/00/0", "a", "ä/b", "");
const count = fc.nat(1000);
const bytes = fc.uint8Array({ maxLength: 300 });
const items = fc.array(bytes, { minLength: 1, maxLength: 5 });

const member: fc.Arbitrary<Member> = fc.oneof(
  fc
    .tuple(origin, count, count, proof)
    .map(([o, smaller, larger, p]) => consistencyMember({ origin: o, smaller, larger, proof: p })),
  fc
    .tuple(count, bytes, count, proof)
    .map(([index, b, size, p]) => planeEntryMember({ index, bytes: b, size, proof: p })),
  fc.tuple(count, count, items).map(([heads, from, leaves]) => headsLeavesMember({ heads, from, leaves })),
  fc
    .tuple(count, count, bytes, proof)
    .map(([heads, position, leaf, p]) => headsLeafMember({ heads, position, leaf, proof: p })),
  fc.tuple(origin, count, items).map(([o, from, list]) => entriesMember({ origin: o, from, items: list })),
  fc
    .tuple(origin, count, count, count, proof, proof)
    .map(([o, from, to, size, left, right]) => rangeProofMember({ origin: o, from, to, size, left, right })),
  fc
    .tuple(origin, count, bytes, count, proof)
    .map(([o, index, b, size, p]) => deviceEntryMember(o, { index, bytes: b, size, proof: p })),
  bytes.map((b) => ({ type: memberTypes.envelope, bytes: b })),
  fc.uint8Array({ maxLength: 70_000, size: "max" }).map((b) => ({ type: memberTypes.blob, bytes: b })),
);
const members = fc.array(member, { maxLength: 8 });

const deviceId = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((id) => id.toHex());
const question: fc.Arbitrary<Question> = fc.oneof(
  fc
    .record({
      kind: fc.constantFrom("records" as const, "summary" as const),
      model: fc.option(hash.map(digestFromHash)),
      from: fc.nat(),
      length: fc.integer({ min: 1, max: 1e12 }),
      devices: fc.option(fc.uniqueArray(deviceId, { minLength: 1, maxLength: 3 })),
    })
    .map(({ kind, model, from, length, devices }) => ({
      kind,
      model,
      from,
      to: from + length,
      devices: devices === null ? null : devices.toSorted(),
    })),
  fc.record({ kind: fc.constant("record" as const), origin: fc.string(), index: fc.nat() }),
);

const same = (a: readonly Member[], b: readonly Member[]) =>
  a.length === b.length && a.every(({ type, bytes: own }, i) => type === b[i]!.type && equalBytes(own, b[i]!.bytes));

async function damageOf(file: Uint8Array): Promise<BundleDamage | undefined> {
  try {
    await readBundle(file);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof BundleDamage, String(error));
    return error;
  }
}

test("what is written is read, and written again it is the same file, in whatever order members come", async () => {
  await fc.assert(
    fc.asyncProperty(question, members, async (asked, list) => {
      const file = writeBundle(asked, list);
      const read = await readBundle(file);
      assert.ok(sameQuestion(read.question, asked));
      assert.deepEqual(writeBundle(read.question, read.members), file);
      assert.deepEqual(writeBundle(asked, [...list, ...list].reverse()), file);
      assert.ok(same(read.members, (await readBundle(writeBundle(asked, read.members.toReversed()))).members));
      for (const { offset, bytes: content } of read.members) {
        assert.ok(equalBytes(file.subarray(offset, offset + content.length), content));
      }
    }),
    { numRuns: 150 },
  );
});

test("any byte that is flipped, cut or inserted is refused, and named no later than where it stands", async () => {
  await fc.assert(
    fc.asyncProperty(
      question,
      members,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      async (asked, list, place, change) => {
        const file = writeBundle(asked, list);
        const at = place % file.length;
        const flipped = file.slice();
        flipped[at]! ^= change;
        const cut = file.slice(0, at);
        const inserted = new Uint8Array([...file.subarray(0, at), change, ...file.subarray(at)]);
        const dropped = new Uint8Array([...file.subarray(0, at), ...file.subarray(at + 1)]);
        for (const [what, changed] of Object.entries({ flipped, cut, inserted, dropped })) {
          const damage = await damageOf(changed);
          assert.ok(damage !== undefined, `${what} at ${at}`);
          // A byte like its neighbour, put in or taken out, first shows where the run of equal bytes ends.
          const shows = changed.findIndex((byte, i) => byte !== file[i]);
          const first = shows < 0 ? changed.length : shows;
          assert.ok(damage.offset <= first, `${what} at ${at}, shows at ${first}: ${damage.message}`);
        }
      },
    ),
    { numRuns: 400 },
  );
});

test("the member list is found from the end though a hash in it ends like the head of a shorter list", async () => {
  const question = { kind: "record", origin: "", index: 0 } as const;
  const blob = (i: number): Member => ({ type: memberTypes.blob, bytes: Uint8Array.of(i >> 8, i & 255) });
  const last = blob(1);
  const first = Array.from({ length: 65_536 }, (_, i) => blob(i)).find(({ bytes: own }) => {
    const digest = sha256(own);
    return digest[31] === 0x81 && compareBytes(digest, sha256(last.bytes)) < 0;
  });
  const file = writeBundle(question, [first!, last]);
  const inserted = new Uint8Array([...file.subarray(0, 25), 1, ...file.subarray(25)]);
  assert.match((await damageOf(inserted))!.message, /header/);
});

test("each byte of a bundle, flipped in each bit, is found; in a member, it is that member which is named", async () => {
  const list = [
    planeEntryMember({ index: 1, bytes: new Uint8Array(30), size: 2, proof: [sha256(new Uint8Array())] }),
    entriesMember({ origin: "plane.test/d/00/0", from: 0, items: [new Uint8Array(280), Uint8Array.of(0x82, 0x0d)] }),
    { type: memberTypes.blob, bytes: Uint8Array.of(0x82, 0x0d, 0x41, 0x00) },
  ];
  const file = writeBundle({ kind: "record", origin: "plane.test/d/00/0", index: 3 }, list);
  const placed = (await readBundle(file)).members;
  for (let at = 0; at < file.length; at += 1) {
    for (let bit = 0; bit < 8; bit += 1) {
      const changed = file.slice();
      changed[at]! ^= 1 << bit;
      const damage = await damageOf(changed);
      assert.ok(damage !== undefined && damage.offset <= at, `${at}.${bit}: ${damage?.message}`);
      const index = placed.findIndex(({ offset, bytes: { length }, type }) => {
        const start = offset - memberHead(type, length).length;
        return at >= start && at < offset + length;
      });
      if (index >= 0) assert.match(damage.where, new RegExp(`^member ${index} `), `${at}.${bit}`);
    }
  }
});

test("members out of order, twice, or not of their type's form are refused, with list and trailer in order", async () => {
  const build = (list: readonly Member[]) => {
    const header = encodeCbor(
      new Map<number, string | ReturnType<typeof questionToCbor>>([
        [0, bundleFormat],
        [1, questionToCbor({ kind: "record", origin: "a", index: 0 })],
      ]),
    );
    const listed = encodeCbor(list.map(({ type, bytes: b }) => [type, b.length, sha256(b)]));
    const body = [header, ...list.flatMap(({ type, bytes: b }) => [memberHead(type, b.length), b]), listed];
    return new Uint8Array([...body, sha256(...body)].flatMap((part) => [...part]));
  };
  const [a, b] = [0, 1].map((from) => entriesMember({ origin: "a", from, items: [Uint8Array.of(from)] }));
  assert.equal(await damageOf(build([a!, b!])), undefined);
  assert.match((await damageOf(build([b!, a!])))!.message, /not in their order/);
  assert.match((await damageOf(build([a!, a!])))!.message, /there twice/);
  const shapes: readonly Uint8Array[] = [
    new Uint8Array(),
    encodeCbor([]),
    encodeCbor(["a", -1, [Uint8Array.of(1)]]),
    encodeCbor(["a", 0, []]),
    encodeCbor(["a", 0, Array.from({ length: 257 }, () => new Uint8Array())]),
    encodeCbor(["a", 0, ["text"]]),
    encodeCbor([1, 0, [Uint8Array.of(1)]]),
  ];
  for (const shape of shapes)
    assert.match((await damageOf(build([{ type: memberTypes.entries, bytes: shape }])))!.where, /^member 0/);
  for (const type of Object.values(memberTypes)) {
    if (type === memberTypes.envelope || type === memberTypes.blob) continue;
    assert.match(
      (await damageOf(build([{ type, bytes: encodeCbor(["a", 0, 1, 2, 3, 4, 5, 6]) }])))!.where,
      /^member 0/,
    );
  }
});

test("files that are no bundles are damaged ones, whatever they are", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (noise) => {
      assert.equal((await damageOf(noise))?.offset, 0);
    }),
  );
});

test("a question has one form, and no other is understood", async () => {
  fc.assert(
    fc.property(question, question, (one, other) => {
      assert.ok(sameQuestion(questionFromCbor(questionToCbor(one)), one));
      assert.equal(sameQuestion(one, other), JSON.stringify(one) === JSON.stringify(other));
    }),
  );
  const id = new Uint8Array(16);
  const good: (readonly [number, Parameters<typeof encodeCbor>[0]])[] = [
    [0, 1],
    [1, null],
    [2, 1],
    [3, 2],
    [4, [id]],
  ];
  assert.equal(questionFromCbor(new Map(good)).kind, "records");
  assert.equal(questionFromCbor(new Map([...good, [0, 3]])).kind, "summary");
  const wrong: (readonly [number, Parameters<typeof encodeCbor>[0]])[] = [
    [0, 4],
    [0, null],
    [1, new Uint8Array(31)],
    [1, "sha256:"],
    [2, 2],
    [2, -1],
    [3, 8.64e15 + 1],
    [4, []],
    [4, [new Uint8Array(15)]],
    [4, [id, id]],
    [4, [Uint8Array.from({ length: 16 }, () => 1), id]],
    [5, null],
  ];
  for (const change of wrong) {
    assert.throws(() => questionFromCbor(new Map([...good, change])), { name: "EvidenceError" }, String(change));
  }
  for (const value of [
    null,
    1,
    [],
    new Map([[0, 2]]),
    new Map<number, number>([...good.slice(0, 1)] as [number, number][]),
  ]) {
    assert.throws(() => questionFromCbor(value), { code: "bundle-invalid" });
  }
});

test("a bundle may have more members than a call may have arguments", async () => {
  const many = Array.from({ length: 70_000 }, (_, i) => ({
    type: memberTypes.blob,
    bytes: Uint8Array.of(i & 255, (i >> 8) & 255, i >> 16),
  }));
  const file = writeBundle({ kind: "record", origin: "a", index: 0 }, many);
  assert.equal((await readBundle(file)).members.length, many.length);
});

const kept: Hash = sha256(new Uint8Array());
test("a proof whose hashes are not 32 bytes each is no member", async () => {
  const member = planeEntryMember({ index: 0, bytes: new Uint8Array(), size: 1, proof: [kept] });
  const short = encodeCbor([0, new Uint8Array(), 1, [new Uint8Array(31)]]);
  assert.throws(() => writeBundle({ kind: "record", origin: "a", index: 0 }, [{ type: member.type, bytes: short }]), {
    name: "EvidenceError",
  });
});
