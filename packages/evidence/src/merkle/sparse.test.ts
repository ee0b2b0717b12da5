import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { utf8 } from "../bytes.ts";
import { Frontier, hashLeaf, inclusionRanges, proofFromRanges, rootOf, sparseRanges, verifySparse } from "./index.ts";

const leafOf = (index: number) => hashLeaf(utf8(`entry ${index}`));
const tree = fc.integer({ min: 1, max: 700 }).chain((size) =>
  fc.record({
    size: fc.constant(size),
    indices: fc
      .uniqueArray(fc.nat(size - 1), { minLength: 1, maxLength: 60 })
      .map((list) => list.sort((a, b) => a - b)),
  }),
);

async function proved({ size, indices }: { size: number; indices: readonly number[] }) {
  const all = Array.from({ length: size }, (_, i) => leafOf(i));
  const node = (level: number, index: number) => rootOf(all.slice(index * 2 ** level, (index + 1) * 2 ** level));
  const proof = await proofFromRanges(sparseRanges(indices, size), node);
  const frontier = Frontier.empty();
  for (const leaf of all) frontier.append(leaf);
  return { proof, root: frontier.root(), leaves: indices.map(leafOf) };
}

test("entries anywhere in a tree are proven together, with no more hashes than by themselves", async () => {
  await fc.assert(
    fc.asyncProperty(tree, async ({ size, indices }) => {
      const { proof, root, leaves } = await proved({ size, indices });
      verifySparse(indices, leaves, size, proof, root);
      const alone = indices.reduce((sum, index) => sum + inclusionRanges(index, size).length, 0);
      assert.ok(proof.length <= alone);
    }),
    { numRuns: 60 },
  );
});

test("another index, leaf, size or hash, one too few or one too many, is refused", async () => {
  await fc.assert(
    fc.asyncProperty(tree, fc.nat(), async ({ size, indices }, at) => {
      const { proof, root, leaves } = await proved({ size, indices });
      const other = leafOf(-1);
      const i = at % indices.length;
      const refused = (...args: Parameters<typeof verifySparse>) =>
        assert.throws(() => verifySparse(...args), { code: "proof-invalid" });
      refused(indices, leaves.with(i, other), size, proof, root);
      refused(indices, leaves, size, [...proof, other], root);
      refused(indices, leaves.slice(1), size, proof, root);
      refused(indices.slice(1), leaves.slice(1), size, proof, root);
      refused(indices.with(i, size), leaves, size, proof, root);
      refused([...indices].reverse().concat(0), leaves, size, proof, root);
      if (proof.length === 0) return;
      refused(indices, leaves, size, proof.with(at % proof.length, other), root);
      refused(indices, leaves, size, proof.slice(1), root);
    }),
    { numRuns: 60 },
  );
});
