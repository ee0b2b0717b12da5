import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { utf8 } from "../bytes.ts";
import { generatePrivateKeyPem } from "../crypto/node.ts";
import { asHash, type Hash, type LeafHash } from "../digest.ts";
import { consistencyRanges, Frontier, hashLeaf, hashNode, proofFromRanges, rootOf } from "../merkle/index.ts";
import { type KeySet, noteSignerFromPem, signCheckpoint } from "../note/index.ts";
import { checkEquivocation, seededProof } from "./equivocation.ts";

const ORIGIN = "tally.test/plane/d/00112233445566778899aabbccddeeff/0";
const signer = noteSignerFromPem(ORIGIN, 1, generatePrivateKeyPem("ed25519"));
const keySet: KeySet = [{ type: 1, publicKey: signer.key.publicKey }];

/** A history: entries told from each other by `branch` from index `fork` on. */
function leavesOf(size: number, fork = size, branch = ""): LeafHash[] {
  return Array.from({ length: size }, (_, i) => hashLeaf(utf8(i < fork ? `entry ${i}` : `${branch} ${i}`)));
}

function node(leaves: readonly LeafHash[], level: number, index: number): Hash {
  if (level === 0) return leaves[index]!;
  return hashNode(node(leaves, level - 1, 2 * index), node(leaves, level - 1, 2 * index + 1));
}

function rootAt(leaves: readonly LeafHash[], size: number) {
  return rootOf(leaves.slice(0, size));
}

const sign = (leaves: readonly LeafHash[], size = leaves.length) =>
  signCheckpoint({ origin: ORIGIN, size, root: rootAt(leaves, size) }, [signer], 0);

async function proofIn(leaves: readonly LeafHash[], from: number): Promise<Hash[]> {
  const proof = await proofFromRanges(consistencyRanges(from, leaves.length), (level, index) =>
    node(leaves, level, index),
  );
  return seededProof(from, rootAt(leaves, from), proof);
}

const forks = fc
  .record({ small: fc.integer({ min: 1, max: 80 }), more: fc.integer({ min: 1, max: 80 }), fork: fc.nat(79) })
  .map(({ small, more, fork }) => ({ small, large: small + more, fork: fork % small }));

test("two histories are proven at any sizes, powers of two included, in either order of notes", async () => {
  await fc.assert(
    fc.asyncProperty(forks, async ({ small, large, fork }) => {
      const noteA = await sign(leavesOf(small));
      const other = leavesOf(large, fork, "other");
      const noteB = await sign(other);
      const proof = await proofIn(other, small);
      const finding = checkEquivocation({ noteA, noteB, proof, keySet });
      assert.deepEqual(finding.proven && finding.sizes, [small, large]);
      assert.ok(checkEquivocation({ noteA: noteB, noteB: noteA, proof, keySet }).proven);
    }),
    { numRuns: 80 },
  );
});

test("an honest ledger is never convicted, whatever proof is made up against it", async () => {
  await fc.assert(
    fc.asyncProperty(
      forks,
      fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }).map(asHash), { maxLength: 10 }),
      fc.nat(9),
      async ({ small, large, fork }, made, at) => {
        const history = leavesOf(large);
        const [noteA, noteB] = [await sign(history, small), await sign(history)];
        const honest = await proofIn(history, small);
        const elsewhere = await proofIn(leavesOf(large, fork, "other"), small);
        const patched = honest.with(at % honest.length, elsewhere[at % honest.length]!);
        for (const proof of [honest, elsewhere, patched, made, honest.slice(1), [...honest, honest[0]!], []]) {
          assert.equal(checkEquivocation({ noteA, noteB, proof, keySet }).proven, false);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("two roots for one size need no proof, and one root for one size is no contradiction", async () => {
  const noteA = await sign(leavesOf(16));
  const noteB = await sign(leavesOf(16, 9, "other"));
  assert.ok(checkEquivocation({ noteA, noteB, proof: [], keySet }).proven);
  assert.equal(checkEquivocation({ noteA, noteB: noteA, proof: [], keySet }).proven, false);
});

test("a note that lacks a signature of the key set, or is of another log, is evidence of nothing", async () => {
  const noteA = await sign(leavesOf(16));
  const noteB = await sign(leavesOf(16, 9, "other"));
  const stranger = noteSignerFromPem(ORIGIN, 1, generatePrivateKeyPem("ed25519"));
  const both: KeySet = [...keySet, { type: 1, publicKey: stranger.key.publicKey }];
  assert.throws(() => checkEquivocation({ noteA, noteB, proof: [], keySet: both }), { code: "signature-missing" });
  const forged = noteB.replace("\n16\n", "\n17\n");
  assert.throws(() => checkEquivocation({ noteA, noteB: forged, proof: [], keySet }), { code: "signature-invalid" });
  assert.throws(() => checkEquivocation({ noteA, noteB: "nothing", proof: [], keySet }), { code: "note-invalid" });

  const elsewhere = noteSignerFromPem(`${ORIGIN}0`, 1, generatePrivateKeyPem("ed25519"));
  const ofOther = await signCheckpoint({ origin: `${ORIGIN}0`, size: 16, root: rootOf(leavesOf(3)) }, [elsewhere], 0);
  assert.throws(() => checkEquivocation({ noteA, noteB: ofOther, proof: [], keySet }), { code: "signature-missing" });
});

test("an empty tree contradicts nothing", async () => {
  const empty = await signCheckpoint({ origin: ORIGIN, size: 0, root: Frontier.empty().root() }, [signer], 0);
  const noteB = await sign(leavesOf(3));
  assert.equal(checkEquivocation({ noteA: empty, noteB, proof: leavesOf(2), keySet }).proven, false);
});
