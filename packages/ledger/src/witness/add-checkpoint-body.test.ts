import assert from "node:assert/strict";
import { test } from "node:test";
import { asHash, asRootHash, type Hash, signCheckpoint, utf8 } from "@tally/evidence";
import fc from "fast-check";
import { LedgerError } from "../error.ts";
import { formatMirrorInfo, parseMirrorInfo } from "../mirror/mirror-info.ts";
import { testSigners } from "../testing/test-signers.ts";
import { formatAddCheckpointBody, parseAddCheckpointBody } from "./add-checkpoint-body.ts";
import { formatSizeBody, parseSizeBody } from "./size-body.ts";

const ORIGIN = "tally.test/log";
const note = await signCheckpoint(
  { origin: ORIGIN, size: 21, root: asRootHash(new Uint8Array(32)) },
  testSigners(ORIGIN),
  0,
);
const size = fc.oneof(fc.nat(300), fc.maxSafeNat());
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes): Hash => asHash(bytes));

/** Fails on anything but a result or an error of the protocol. */
function parsesOrRefuses<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    assert.ok(error instanceof LedgerError && error.code === "protocol", String(error));
    return undefined;
  }
}

test("an add-checkpoint body reads back as it was written", () => {
  fc.assert(
    fc.property(size, fc.array(hash, { maxLength: 63 }), (old, proof) => {
      const offer = parseAddCheckpointBody(utf8(formatAddCheckpointBody({ old, proof, note })));
      assert.deepEqual([offer.old, offer.proof], [old, proof]);
      assert.equal(offer.checkpoint.size, 21);
    }),
  );
});

test("an add-checkpoint body that is cut, or changed in one byte, is refused or reads as what it then says", () => {
  const whole = utf8(
    formatAddCheckpointBody({ old: 3, proof: [asHash(new Uint8Array(32)), asHash(new Uint8Array(32).fill(9))], note }),
  );
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      assert.equal(
        parsesOrRefuses(() => parseAddCheckpointBody(whole.subarray(0, at))),
        undefined,
      );
      const changed = whole.with(at, whole[at]! ^ flip);
      const offer = parsesOrRefuses(() => parseAddCheckpointBody(changed));
      if (offer === undefined) return;
      const again = formatAddCheckpointBody({ ...offer, note: new TextDecoder().decode(offer.note.bytes) });
      assert.deepEqual(utf8(again), changed);
    }),
    { numRuns: 500 },
  );
});

test("garbage is never an add-checkpoint body, a size or mirror info", () => {
  const garbage = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.string({ maxLength: 300 }).map(utf8));
  fc.assert(
    fc.property(garbage, (bytes) => {
      assert.equal(
        parsesOrRefuses(() => parseAddCheckpointBody(bytes)),
        undefined,
      );
      const text = new TextDecoder().decode(bytes);
      const found = parsesOrRefuses(() => parseSizeBody(text));
      if (found !== undefined) assert.equal(formatSizeBody(found), text);
      const info = parsesOrRefuses(() => parseMirrorInfo(text));
      if (info !== undefined) assert.equal(formatMirrorInfo(info), text);
    }),
    { numRuns: 300 },
  );
});

test("second forms of an add-checkpoint body are refused", () => {
  const root = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  const heads = [
    "old 03\n\n",
    "old +3\n\n",
    "old  3\n\n",
    "old 3 \n\n",
    "old 3\r\n\r\n",
    "Old 3\n\n",
    "old 9007199254740992\n\n",
    "old -1\n\n",
    "old 3.0\n\n",
    "\nold 3\n\n",
    "old 3\n",
    `old 3\n${root.slice(0, -1)}\n\n`,
    `old 3\n${root.slice(0, -2)}B=\n\n`,
    `old 3\n${root} \n\n`,
    `old 3\n${root}${root}\n\n`,
    `old 3\n${`${root}\n`.repeat(64)}\n`,
    "old 3\n\n\n",
  ];
  for (const head of heads) {
    assert.throws(() => parseAddCheckpointBody(utf8(head + note)), { code: "protocol" }, JSON.stringify(head));
  }
  assert.equal(parseAddCheckpointBody(utf8(`old 3\n${`${root}\n`.repeat(63)}\n${note}`)).proof.length, 63);
  assert.throws(() => parseAddCheckpointBody(utf8(`old 3\n\n${note}\n`)), { code: "protocol" });
  assert.throws(() => parseAddCheckpointBody(new Uint8Array(300 * 1024)), { code: "protocol" });
});

test("sizes and mirror info read back as they were written, in no second form", () => {
  fc.assert(
    fc.property(size, size, fc.uint8Array({ maxLength: 200 }), (tree, nextEntry, ticket) => {
      assert.equal(parseSizeBody(formatSizeBody(tree)), tree);
      const info = { size: tree, nextEntry, ticket };
      assert.deepEqual(parseMirrorInfo(formatMirrorInfo(info)), info);
    }),
  );
  for (const text of ["", "1", "01\n", "1\n\n", "1 \n", "x\n", "1\r\n"]) {
    assert.throws(() => parseSizeBody(text), { code: "protocol" });
  }
  for (const text of [
    "",
    "1\n2\n",
    "1\n2\n\n\n",
    "1\n2\nAA\n",
    "1\n2\nAB==\n",
    "1\n2\n",
    " 1\n2\n\n",
    "1\n2\nAA==",
    "01\n2\n\n",
  ]) {
    assert.throws(() => parseMirrorInfo(text), { code: "protocol" }, JSON.stringify(text));
  }
});

test("the example of the specification reads as it says", () => {
  const offer = parseAddCheckpointBody(
    utf8(`old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
`),
  );
  assert.equal(offer.old, 20852014);
  assert.equal(offer.proof.length, 4);
  assert.equal(offer.checkpoint.origin, "example.com/behind-the-sofa");
  assert.equal(offer.checkpoint.size, 20852163);
  assert.equal(offer.note.signatures.length, 2);
});
