import assert from "node:assert/strict";
import { test } from "node:test";
import { generatePrivateKeyPem } from "#crypto";
import { concatBytes, fromUtf8, toBase64, toHex, utf8 } from "../bytes.ts";
import { asHash, asRootHash } from "../digest.ts";
import {
  type Checkpoint,
  checkpointMessage,
  formatCheckpointText,
  formatNote,
  formatVkey,
  type KeyType,
  noteSignerFromPem,
  parseNote,
  parseVkey,
  signCheckpoint,
  subtreeMessage,
  timestamped,
  verifyAllOf,
  verifyNote,
} from "./index.ts";

const origin = "tally.example/demo/d/4f2a/0";
const checkpoint: Checkpoint = { origin, size: 300, root: asRootHash(new Uint8Array(32).fill(7)) };
const time = 1_700_000_000;

const pems = {
  1: generatePrivateKeyPem("ed25519"),
  2: generatePrivateKeyPem("p-256"),
  4: generatePrivateKeyPem("ed25519"),
  6: generatePrivateKeyPem("ml-dsa-44"),
};
const types: readonly KeyType[] = [1, 2, 4, 6];
const signer = (type: KeyType, name = origin) => noteSignerFromPem(name, type, pems[type]);
const keySetOf = (...chosen: KeyType[]) => chosen.map((type) => signer(type).key);

test("type 4 signs a header, the time and the note's text", () => {
  const message = checkpointMessage({ name: "w", type: 4 }, checkpoint, 1679315147);
  const root = toBase64(checkpoint.root);
  assert.equal(fromUtf8(message), `cosignature/v1\ntime 1679315147\n${origin}\n300\n${root}\n`);
});

test("type 6 signs the fields of the checkpoint as the specification lays them out", () => {
  const hash = asHash(new Uint8Array(32).fill(0xab));
  const message = subtreeMessage({ cosigner: "w.example", time: 5, origin: "log", start: 0, end: 258, hash });
  const expected =
    `${toHex(utf8("subtree/v1"))}0a00` + // label
    `09${toHex(utf8("w.example"))}` + // cosigner
    "0000000000000005" + // time
    `03${toHex(utf8("log"))}` + // origin
    "0000000000000000" + // start
    "0000000000000102" + // end
    "ab".repeat(32);
  assert.equal(toHex(message), expected);
});

test("type 6 states no time for a subtree that starts later, and signs no name over 255 bytes", () => {
  const hash = asHash(new Uint8Array(32));
  const subtree = { cosigner: "w", time: 0, origin: "log", start: 256, end: 512, hash };
  assert.equal(subtreeMessage(subtree).length, 12 + 2 + 8 + 4 + 16 + 32);
  for (const wrong of [{ time: 5 }, { cosigner: "w".repeat(256) }, { origin: "" }, { time: -1, start: 0 }]) {
    assert.throws(() => subtreeMessage({ ...subtree, ...wrong }), { code: "checkpoint-invalid" });
  }
});

test("a checkpoint signed by keys of all types verifies, with the times of cosignatures", async () => {
  const signers = types.map((type) => signer(type));
  const note = parseNote(await signCheckpoint(checkpoint, signers, time));
  const keys = signers.map(({ key }) => parseVkey(formatVkey(key)));
  assert.deepEqual(
    verifyNote(note, keys).map((signature) => [signature.key.type, signature.time]),
    [
      [1, null],
      [2, null],
      [4, time],
      [6, time],
    ],
  );
});

test("a device's type 6 signature with time 0 verifies and states no time", async () => {
  const note = parseNote(await signCheckpoint(checkpoint, [signer(6)], 0));
  assert.deepEqual(verifyNote(note, [signer(6).key]), [{ key: signer(6).key, time: null }]);
});

test("no signature of any type verifies for another checkpoint, name or time", async () => {
  for (const type of types) {
    const { key } = signer(type);
    const good = await signer(type).sign(checkpoint, time);
    const text = (changes: Partial<Checkpoint>) => formatCheckpointText({ ...checkpoint, ...changes });
    const refuse = (note: string, why: string) =>
      assert.throws(() => verifyNote(parseNote(note), [key]), { code: "signature-invalid" }, `type ${type}: ${why}`);

    refuse(formatNote(text({ size: 301 }), [good]), "another size");
    refuse(formatNote(text({ origin: "another" }), [good]), "another origin");
    refuse(formatNote(text({ root: asRootHash(new Uint8Array(32)) }), [good]), "another root");
    const flipped = good.signature.slice();
    flipped[flipped.length >> 1]! ^= 1;
    refuse(formatNote(text({}), [{ ...good, signature: flipped }]), "a changed signature");
    refuse(formatNote(text({}), [{ ...good, signature: good.signature.slice(0, 7) }]), "a cut signature");
    if (type === 4 || type === 6) {
      const later = concatBytes(timestamped(time + 1, good.signature.subarray(8)));
      refuse(formatNote(text({}), [{ ...good, signature: later }]), "another time");
      const absurd = concatBytes(new Uint8Array(8).fill(0xff), good.signature.subarray(8));
      refuse(formatNote(text({}), [{ ...good, signature: absurd }]), "a time beyond all");
    }
  }
});

test("a cosignature of type 6 cannot be passed off under another name, though the key is the same", async () => {
  const stolen = await signer(6, "witness.example/a").sign(checkpoint, time);
  const other = signer(6, "witness.example/b").key;
  const note = parseNote(formatNote(formatCheckpointText(checkpoint), [{ ...stolen, name: other.name, id: other.id }]));
  assert.throws(() => verifyNote(note, [other]), { code: "signature-invalid" });
});

test("a type 6 signature on a text that is no checkpoint does not verify", async () => {
  const signature = await signer(6).sign(checkpoint, time);
  const note = parseNote(formatNote("just a text\n", [signature]));
  assert.throws(() => verifyNote(note, [signer(6).key]), { code: "signature-invalid" });
});

test("signatures of unknown keys are ignored, even under a known name or a known id", async () => {
  const known = signer(1);
  const sameName = noteSignerFromPem(origin, 1, pems[4]);
  const own = await known.sign(checkpoint, 0);
  const stray = { ...own, name: "another.example" };
  const text = formatCheckpointText(checkpoint);
  const note = parseNote(formatNote(text, [await sameName.sign(checkpoint, 0), stray, own]));
  assert.deepEqual(verifyNote(note, [known.key]), [{ key: known.key, time: null }]);
  const without = parseNote(formatNote(text, [stray]));
  assert.throws(() => verifyNote(without, [known.key]), { code: "signature-missing" });
  assert.throws(() => verifyNote(note, []), { code: "signature-missing" });
});

test("one bad signature of a known key spoils the note, whatever else is good", async () => {
  const [good, bad] = [await signer(1).sign(checkpoint, 0), await signer(6).sign({ ...checkpoint, size: 1 }, 0)];
  const text = formatCheckpointText(checkpoint);
  const note = parseNote(formatNote(text, [good, bad]));
  assert.throws(() => verifyNote(note, keySetOf(1, 6)), { code: "signature-invalid" });
  assert.equal(verifyNote(note, keySetOf(1)).length, 1);
});

test("a key set demands all of its signatures: a stolen file key alone signs nothing", async () => {
  const both = parseNote(await signCheckpoint(checkpoint, [signer(2), signer(6)], 0));
  assert.deepEqual(verifyAllOf(both, origin, keySetOf(2, 6)), checkpoint);
  const stolen = parseNote(await signCheckpoint(checkpoint, [signer(6)], 0));
  assert.throws(() => verifyAllOf(stolen, origin, keySetOf(2, 6)), { code: "signature-missing" });
  const twice = parseNote(await signCheckpoint(checkpoint, [signer(6), signer(6)], 0));
  assert.throws(() => verifyAllOf(twice, origin, keySetOf(2, 6)), { code: "signature-missing" });
  assert.throws(() => verifyAllOf(both, origin, []), { code: "key-invalid" });
  assert.throws(() => verifyAllOf(both, "another", keySetOf(2, 6)), { code: "checkpoint-invalid" });
});

test("a private key of the wrong kind makes no signer, and says which kind is needed", () => {
  assert.throws(() => noteSignerFromPem("a", 6, pems[1]), { code: "key-invalid", message: /ml-dsa-44, not ed25519/ });
  assert.throws(() => noteSignerFromPem("a", 2, generatePrivateKeyPem("p-384")), { code: "key-invalid" });
  assert.throws(() => noteSignerFromPem("a b", 1, pems[1]), { code: "key-invalid" });
});
