import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { asRootHash } from "../digest.ts";
import { formatCheckpointText, parseCheckpoint, parseCheckpointText } from "./index.ts";

const invalid = { name: "EvidenceError", code: "checkpoint-invalid" };
// The example of C2SP tlog-checkpoint.
const example = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

test("the specification's example is read and written back the same", () => {
  const checkpoint = parseCheckpointText(example);
  assert.equal(checkpoint.origin, "example.com/behind-the-sofa");
  assert.equal(checkpoint.size, 20852163);
  assert.equal(formatCheckpointText(checkpoint), example);
  const signed = parseCheckpoint(`${example}\n— example.com/behind-the-sofa Az3grlgtzPIC\n`);
  assert.deepEqual(signed.checkpoint, checkpoint);
  assert.equal(signed.note.text, example);
});

test("any checkpoint comes back as it was written", () => {
  const fields = {
    origin: fc.string({ unit: "grapheme", minLength: 1 }).filter((origin) => !origin.includes("\n")),
    size: fc.maxSafeNat(),
    root: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(asRootHash),
  };
  const checkpoints = fc.record(fields, { noNullPrototype: true });
  fc.assert(fc.property(checkpoints, (c) => assert.deepEqual(parseCheckpointText(formatCheckpointText(c)), c)));
});

test("what is not exactly a checkpoint is refused", () => {
  const [origin, size, root] = example.split("\n") as [string, string, string];
  const texts = [
    `${origin}\n0${size}\n${root}\n`,
    `${origin}\n+${size}\n${root}\n`,
    `${origin}\n-1\n${root}\n`,
    `${origin}\n1e3\n${root}\n`,
    `${origin}\n\n${root}\n`,
    `${origin}\n9007199254740992\n${root}\n`,
    `${origin}\n${size}\n${root.slice(0, -1)}\n`,
    `${origin}\n${size}\n${root.replace("2I=", "2J=")}\n`,
    `${origin}\n${size}\nAAAA\n`,
    `${origin}\n${size}\n${root}`,
    `${origin}\n${size}\n${root}\nextension\n`,
    `${origin}\n${size}\n${root}\n\n`,
    `\n${size}\n${root}\n`,
    `${origin}\n${size}\n`,
    "",
  ];
  for (const text of texts) assert.throws(() => parseCheckpointText(text), invalid, text);
});

test("a checkpoint that could not be read back is not written", () => {
  const good = parseCheckpointText(example);
  for (const wrong of [{ origin: "" }, { origin: "a\nb" }, { size: -1 }, { size: 0.5 }, { size: 2 ** 53 }]) {
    assert.throws(() => formatCheckpointText({ ...good, ...wrong }), invalid);
  }
});
