import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatNote,
  formatVkey,
  generatePrivateKeyPem,
  type Hash,
  hashLeaf,
  type NoteSigner,
  noteSignerFromPem,
  parseNote,
  parseTrust,
  rootOf,
  signCheckpoint,
  utf8,
} from "@tally/evidence";
import { EdgeError } from "../error.ts";
import { makePlaneKeys } from "../testing/plane-keys.ts";
import { openPlaneCheckpoint, requireGrowth } from "./plane-checkpoint.ts";

const keys = makePlaneKeys();
const origin = `${keys.name}/log`;
const leaves: Hash[] = Array.from({ length: 8 }, (_, i) => hashLeaf(utf8(`${i}`)));
const witness = (name: string) => noteSignerFromPem(name, 4, generatePrivateKeyPem("ed25519"));
const [north, south] = [witness("north.example"), witness("south.example")];
const trust = parseTrust(
  JSON.stringify({
    ...JSON.parse(keys.trustText),
    policy: [
      `witness north ${formatVkey(north.key)}`,
      `witness south ${formatVkey(south.key)}`,
      "group both all north south",
      "quorum both",
      "",
    ].join("\n"),
  }),
);

async function note(
  size: number,
  signers: readonly NoteSigner[],
  root = rootOf(leaves.slice(0, size)),
): Promise<string> {
  return signCheckpoint({ origin, size, root }, signers, 1_700_000_000);
}

const untrusted = (why: RegExp) => (error: unknown) =>
  error instanceof EdgeError && error.code === "plane-untrusted" && why.test(error.message);

test("a checkpoint counts when all the plane's keys and a quorum of witnesses have signed it", async () => {
  const text = await note(4, [...keys.log, north, south]);
  const { checkpoint, notBefore, notAfter } = openPlaneCheckpoint(text, trust);
  assert.equal(checkpoint.size, 4);
  assert.deepEqual([notBefore, notAfter], [1_700_000_000_000, 1_700_000_000_999]);
});

test("without one of the plane's keys, without the quorum, or with a stranger's line it does not", async () => {
  assert.throws(() => openPlaneCheckpoint("nonsense", trust), untrusted(/not accepted/));
  const [classical] = keys.log;
  const one = await note(4, [classical!, north, south]);
  assert.throws(() => openPlaneCheckpoint(one, trust), untrusted(/type 6\) is missing/));
  const alone = await note(4, [...keys.log, north]);
  assert.throws(() => openPlaneCheckpoint(alone, trust), untrusted(/quorum/));
  const stranger = await note(4, [...keys.log, north, south, witness("stranger.example")]);
  assert.throws(() => openPlaneCheckpoint(stranger, trust), untrusted(/stranger/));
});

test("a checkpoint with a signature of another text is refused", async () => {
  const good = parseNote(await note(4, [...keys.log, north, south]));
  const other = parseNote(await note(5, [...keys.log, north, south]));
  assert.throws(() => openPlaneCheckpoint(formatNote(other.text, good.signatures), trust), untrusted(/verify/));
});

test("a plane that shrinks, forks or proves nothing is not followed", async () => {
  const plain = keys.trust;
  const open = async (size: number, root?: ReturnType<typeof rootOf>) =>
    openPlaneCheckpoint(await note(size, keys.log, root), plain);
  const { checkpoint: pinned } = await open(5);
  requireGrowth(plain, pinned, await open(5), []);
  const smaller = await open(4);
  assert.throws(() => requireGrowth(plain, pinned, smaller, []), untrusted(/below/));
  const fork = await open(5, rootOf(leaves.slice(1, 6)));
  assert.throws(() => requireGrowth(plain, pinned, fork, []), untrusted(/two histories/));
  const larger = await open(8);
  assert.throws(() => requireGrowth(plain, pinned, larger, []), untrusted(/does not continue/));
});
