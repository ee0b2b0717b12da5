// age (https://age-encryption.org), the Go program by its author, and encrypted segments: its identities open ours, it opens our keys.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openSegment } from "@tally/edge";
import { decodeCborSequence } from "@tally/evidence";
import { unpackModelKit } from "@tally/oci";
import { program } from "./programs.ts";
import { packedSegment } from "./segment.ts";
import { runTally } from "./served.ts";
import { temporaryFolder } from "./server-process.ts";
import { mustRun } from "./tool.ts";

async function sealed(t: TestContext, key: string, dir: string) {
  const { manifest, source, indices } = await packedSegment(t, [{ name: "research", key: key.trim() }]);
  const folder = join(dir, "segment");
  await unpackModelKit({ source, reference: manifest, into: folder });
  return { folder, indices };
}

for (const flags of [[], ["-pq"]]) {
  const kind = flags.length === 0 ? "an X25519" : "a post-quantum";
  test(`a segment that is encrypted to ${kind} recipient of age-keygen opens with its identity file`, async (t) => {
    const keygen = program(t, "age-keygen");
    if (keygen === undefined) return;
    const dir = await temporaryFolder(t);
    const identity = join(dir, "identity.txt");
    await mustRun(keygen, [...flags, "-o", identity]);
    const { folder, indices } = await sealed(t, await mustRun(keygen, ["-y", identity]), dir);
    await runTally(["data", "open", folder, "-o", join(dir, "opened"), "--identity", identity]);
    const { rows } = await openSegment(join(dir, "opened"));
    assert.deepEqual(
      rows.map(({ index }) => index),
      indices,
    );
  });
}

test("age opens the keys of a segment with an identity of `tally data keygen`", async (t) => {
  const age = program(t, "age");
  if (age === undefined) return;
  const dir = await temporaryFolder(t);
  const recipient = await runTally(["data", "keygen", join(dir, "research")]);
  const { folder } = await sealed(t, recipient, dir);
  const keys = join(dir, "keys.cborseq");
  await mustRun(age, ["-d", "-i", join(dir, "research.age"), "-o", keys, join(folder, "keys", "keys.age")]);
  // One key for each of the seven people.
  assert.equal(decodeCborSequence(await readFile(keys)).length, 7);
});
